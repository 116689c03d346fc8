import re
from pathlib import Path

import pytest

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.report import write_report

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
# Documents with results between two markers.
DOCUMENTS = ("README.md", "docs/precision.md")
# Other commands write into reports/, too.
OURS = ("comparison.*", "recipes.md", "index.html", "system_*.md", "cards/*", "curves/*")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What `cifar-keras report` makes of the committed runs alone."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "docs").mkdir()
    for name in DOCUMENTS:
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "reports").mkdir()
    (folder / "reports" / "runs").symlink_to(REPORTS / "runs")
    recipes = [(name, load_recipe(recipe_path(name))) for name in recipe_names()]
    write_report(recipes, [REPORTS / "runs"], folder / "reports", root=folder)
    return folder


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for kind in OURS for path in folder.glob(kind))


def test_the_committed_files_are_those_that_the_report_writes(written):
    assert files_of(REPORTS) == files_of(written / "reports")


# Pictures differ in their last digits from version to version of Matplotlib.
@pytest.mark.parametrize("name", [name for name in files_of(REPORTS) if "curves/" not in name])
def test_each_committed_file_is_what_the_report_writes_today(written, name):
    assert (REPORTS / name).read_text() == (written / "reports" / name).read_text()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_results_in_a_document_are_what_the_report_writes_today(written, name):
    assert (ROOT / name).read_text() == (written / name).read_text()


@pytest.mark.parametrize(
    "path", [*sorted(REPORTS.glob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_a_table_has_at_most_eight_columns(path):
    tables = [line for line in path.read_text().splitlines() if line.startswith("| ")]

    assert max((len(re.split(r"(?<!\\)\|", line)) - 2 for line in tables), default=0) <= 8


def test_no_committed_file_is_larger_than_2_mib_but_weights():
    sizes = {path: path.stat().st_size for path in REPORTS.rglob("*") if path.is_file()}
    weights = [size for path, size in sizes.items() if path.suffix == ".h5"]

    assert max(size for path, size in sizes.items() if path.suffix != ".h5") <= 2 * 2**20
    assert max(weights) <= 24 * 2**20
    assert sum(weights) <= 64 * 2**20


def test_the_page_stays_well_below_a_megabyte():
    assert (REPORTS / "index.html").stat().st_size < 700_000

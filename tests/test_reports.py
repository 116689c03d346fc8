from pathlib import Path

import pytest

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.report import write_report

REPORTS = Path(__file__).resolve().parent.parent / "reports"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What `cifar-keras report` makes of the committed runs alone."""
    folder = tmp_path_factory.mktemp("reports")
    recipes = [(name, load_recipe(recipe_path(name))) for name in recipe_names()]
    write_report(recipes, [REPORTS / "runs"], folder)
    return folder


@pytest.mark.parametrize("name", ["comparison.md", "comparison.csv"])
def test_the_committed_tables_are_what_the_report_writes_today(written, name):
    assert (REPORTS / name).read_text() == (written / name).read_text()


def test_the_committed_curves_are_those_of_the_committed_runs(written):
    committed = {path.name for path in (REPORTS / "curves").iterdir()}

    assert committed == {path.name for path in (written / "curves").iterdir()}


def test_no_committed_file_of_a_run_is_larger_than_2_mib():
    sizes = {path.name: path.stat().st_size for path in REPORTS.rglob("*") if path.is_file()}

    assert max(sizes.values()) <= 2 * 2**20, sizes

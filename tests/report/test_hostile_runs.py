"""A run folder may come from anybody: what it says never becomes a path or markup."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import ClassVar
from xml.etree import ElementTree

import pytest

from cifar_keras.records import RESULT, RUN, WEIGHTS
from cifar_keras.report import pictures, write_report
from cifar_keras.report.cards import model_cards
from cifar_keras.report.page import index_html
from cifar_keras.report.readme import results
from cifar_keras.report.results import collect
from cifar_keras.report.system_page import system_page
from cifar_keras.report.table import comparison_markdown

HOSTILE = "a|b`c`<img src=q>\n## d\x1b[2J [e](f) %data% $\\frac$ ~~~"
# The same as Markdown that shows it, in a table (where `|` is escaped) and elsewhere.
SHOWN = r"a|b\`c\`\<img src=q\> \#\# d\[2J \[e\](f) %data% \$\\frac\$ \~\~\~"
IN_TABLE = SHOWN.replace("|", r"\|")


def edit(folder, **changes):
    tree = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps(tree | changes))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../../X"),
        ("name", ".."),
        ("name", ".hidden"),
        ("name", "-option"),
        ("name", "a/b"),
        ("name", "a b"),
        ("name", ""),
        ("name", "resnet20\n"),
        ("name", 'x"><img src=q onerror=alert(1)>'),
        ("name", "a" * 101),
        ("recipe_sha256", "/../../X" + "0" * 56),
        ("budget", "0.1/../../X"),
        ("budget", "1" * 300),
    ],
)
def test_what_names_files_and_is_no_name_leaves_the_run_out(
    tmp_path, resnet20, make_run, key, value
):
    folder = make_run(tmp_path / "a" / "b" / "runs", resnet20, accuracies=[0.9])
    edit(folder, **{key: value})
    before = {path for path in tmp_path.rglob("*")}

    write_report([("resnet20", resnet20)], [tmp_path / "a" / "b" / "runs"], tmp_path / "out")

    assert {path for path in tmp_path.rglob("*") if path not in before} == {
        path for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    }
    [left_out] = collect([], [tmp_path / "a" / "b" / "runs"]).left_out
    assert left_out.name == "resnet20/seed-1"
    assert left_out.reason.startswith(f"'resnet20/seed-1/run.json' is damaged: {key}: ")
    assert repr(value[:100]) in left_out.reason


def test_a_published_curve_lies_in_the_folder_of_published_curves(tmp_path, resnet20, make_run):
    recipe = resnet20.model_dump(mode="json")
    recipe["reference"]["curve"]["file"] = "../../../etc/passwd"
    edit(make_run(tmp_path, resnet20, accuracies=[0.9]), recipe=recipe)

    [left_out] = collect([], [tmp_path]).left_out

    assert "recipe.reference.curve.file: " in left_out.reason
    assert "'../../../etc/passwd'" in left_out.reason


def test_a_number_too_large_to_average_leaves_the_run_out(tmp_path, resnet20, make_run):
    path = make_run(tmp_path, resnet20, accuracies=[0.9]) / RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"peak_memory_mib": 10**400}))

    [left_out] = collect([], [tmp_path]).left_out

    assert left_out.reason.startswith("'resnet20/seed-1/result.json' is damaged: peak_memory_mib: ")


@pytest.fixture
def hostile(tmp_path, resnet20, make_run):
    """A full run and a scaled one that say hostile things wherever text is free."""
    reference = resnet20.reference.model_copy(update={"source": HOSTILE})
    recipe = resnet20.model_copy(
        update={"title": HOSTILE, "system": HOSTILE, "reference": reference}
    )
    provenance = {
        "versions": dict.fromkeys(["cifar_keras", "tensorflow", "keras"], HOSTILE),
        "git": {"revision": "a|b`c`<i", "dirty": True},
        "hardware": {"cpu": HOSTILE, "cores": HOSTILE},
    }
    given = {"accuracies": [0.9], "name": "own", "provenance": provenance, "started": HOSTILE}
    folder = make_run(tmp_path, recipe, **given)
    (folder / WEIGHTS).write_bytes(b"weights")
    make_run(tmp_path, recipe, budget="0.1", overrides=[HOSTILE], **given)
    damaged = tmp_path / "a`b|c<i>" / "seed-1"
    damaged.mkdir(parents=True)
    for name in (RUN, "result.json"):
        (damaged / name).write_text("{")
    return tmp_path


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_free_text_in_a_table_is_one_cell_and_shows_as_it_is(hostile):
    markdown = comparison_markdown(collect([], [hostile]))

    for table in re.findall(r"(?:^\|.*\n)+", markdown, flags=re.MULTILINE):
        assert len({len(cells(line)) for line in table.splitlines()}) == 1
    [recipe] = [cells(line) for line in markdown.splitlines() if "272,292" in line]
    assert recipe == [
        *("own", IN_TABLE, IN_TABLE, "272,292", "91.71 (last, 1 run)"),
        IN_TABLE,
    ]
    [altered] = [cells(line) for line in markdown.splitlines() if line.startswith("| own  ")][:1]
    assert altered[1] == f"{IN_TABLE}; recipe not shipped"
    [evidence, _] = [cells(line) for line in markdown.splitlines() if line.startswith("| own/")]
    assert evidence[3] == r"a\|b\`c\`\<i dirty"
    assert evidence[4:] == [IN_TABLE, IN_TABLE, "—", IN_TABLE]


def test_free_text_outside_of_tables_shows_as_it_is(hostile):
    lines = comparison_markdown(collect([], [hostile])).splitlines()

    title = f"own, budget 0.1, {SHOWN}; recipe not shipped"
    assert f"### {title}" in lines
    [picture] = [line for line in lines if "own-budget" in line and line.startswith("!")]
    assert picture.startswith(f"![Error curves of {title}](curves/own-budget-0.1-set-")
    [left_out] = [line for line in lines if line.startswith("- `a")]
    assert left_out.startswith(r"- `a'b|c<i>/seed-1`: 'a\`b|c\<i\>/seed-1' has no history.csv")


def test_a_card_shows_free_text_as_it_is(hostile):
    [card] = model_cards(collect([], [hostile]).rows, hostile).values()

    assert f'- **Network**: resnet_neon, "{SHOWN}" ({SHOWN}), 272,292 trainable' in card
    assert f"- **Made with**: cifar_keras {SHOWN}, TensorFlow {SHOWN}, Keras {SHOWN}" in card
    assert f"  on {SHOWN} ({SHOWN} cores).\n" in card


def test_a_system_page_shows_free_text_as_it_is(tmp_path, resnet20, make_run):
    band = resnet20.reference.band.model_copy(update={"reason": HOSTILE})
    reference = resnet20.reference.model_copy(update={"source": HOSTILE, "band": band})
    recipe = resnet20.model_copy(update={"reference": reference})
    make_run(tmp_path, recipe, accuracies=[0.9], provenance={"hardware": {"cpu": HOSTILE}})

    page = system_page("C", collect([("resnet20", recipe)], [tmp_path]).rows, [])

    _, row = [cells(line) for line in page.splitlines() if line.startswith("| `resnet20`")]
    assert row[-1] == IN_TABLE
    assert f"- {SHOWN}\n" in page
    assert f"- `resnet20`: 0.6 points. {SHOWN}\n" in page


def test_the_readme_shows_free_text_as_it_is(hostile):
    readme = results(collect([], [hostile]).rows)

    assert f"| {IN_TABLE} (`own`) on CIFAR-10 | " in readme
    assert "![Error curves of own, recipe not shipped](reports/" in readme


@pytest.fixture
def page(hostile):
    """The page of rows that hold hostile text, even where reading a run would refuse it."""
    rows = collect([], [hostile]).rows
    return index_html([replace(row, slug='x"><img src=q>\u2028', name="%data%") for row in rows])


def test_free_text_ends_no_element_or_attribute_of_the_page(page):
    class Tags(HTMLParser):
        seen: ClassVar = []

        def handle_starttag(self, tag, attrs):
            self.seen.append((tag, dict(attrs)))

    Tags().feed(page)

    assert "img" not in {tag for tag, _ in Tags.seen}
    rows = [attrs for tag, attrs in Tags.seen if tag == "tr" and "data-chart" in attrs]
    assert [row["data-chart"] for row in rows] == ['x"><img src=q>\u2028'] * 2
    assert [row["title"] for row in rows] == [HOSTILE, HOSTILE]


def test_a_mark_of_the_template_in_free_text_is_not_filled_in(page):
    shown = page.partition("<tbody>")[2].partition("</tbody>")[0]

    assert shown.count("%data%") == 15
    assert "[{" not in shown


def test_the_data_of_the_page_begin_no_element_and_no_line(page):
    data = re.search(r'id="data">(.*?)</script>', page, flags=re.DOTALL)[1]

    assert not set("<\n\u2028\u2029") & set(data)
    assert {chart["id"] for chart in json.loads(data)} == {'x"><img src=q>\u2028'}


def test_a_picture_shows_a_title_as_it_is(hostile):
    made = pictures(collect([], [hostile]).rows)

    [svg, other] = [content for name, content in made.items() if name.endswith(".svg")]

    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter()]
    assert "own: a|b`c`<img src=q> ## d[2J [e](f) %data% $\\frac$ ~~~, on CIFAR-10" in texts
    assert b"<img" not in svg + other
    ElementTree.fromstring(other)

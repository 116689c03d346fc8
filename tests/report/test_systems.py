import csv
import re

import pytest

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.report.published import originals, published_folder
from cifar_keras.report.results import collect
from cifar_keras.report.system_page import system_page
from cifar_keras.report.systems import SYSTEMS


@pytest.fixture(scope="module")
def recipes():
    return [(name, load_recipe(recipe_path(name))) for name in recipe_names()]


@pytest.fixture
def page(recipes, tmp_path):
    """The page of a system, its table as heading -> cell for each recipe."""

    def of(key, pictures=()):
        return system_page(key, collect(recipes, [tmp_path]).rows, pictures)

    return of


def table(page, title=""):
    """The first table below a title: the recipe -> its cells with their headings."""
    below = page[page.index(title) :]
    lines = re.search(r"(?:^\|.*\n)+", below, flags=re.MULTILINE)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    head, _, *body = cells
    return {line[0].strip("`"): list(zip(head, line, strict=True)) for line in body}


OTHERS = "## What else was published"


def test_system_c_shows_depth_memory_seconds_and_error_beside_the_originals(
    page, tmp_path, resnet20, make_run
):
    make_run(tmp_path, resnet20, accuracies=[0.9171])

    # README of apark263/cfmz; ours from the run of tests/report/conftest.py, whose accuracies rise
    # in a line.
    shown = page("C")
    assert table(shown)["resnet20"] == [
        ("recipe", "`resnet20`"),
        ("depth", "20"),
        ("published, %", "91.71 (last, 1 run)"),
        ("published curve: last, best", "91.73, 91.79 [dig]"),
        ("ours, %", "91.71 (1)"),
        ("difference", "+0.00"),
        ("distance of the curves, points", "22.05 from epoch 93"),
        ("verdict", "one run, in its band"),
    ]
    assert table(shown, OTHERS)["resnet20"] == [
        ("recipe", "`resnet20`"),
        ("test error, %", "8.29 (1) / 8.29"),
        ("peak memory, MiB", "2,000 / 521"),
        ("s/epoch", "200 / 11"),
        ("hardware", "Example CPU (2 cores)"),
    ]


@pytest.mark.parametrize("key", SYSTEMS)
def test_no_table_of_a_page_has_more_than_eight_columns(page, recipes, tmp_path, make_run, key):
    # With runs a page has all of its columns.
    for name, recipe in recipes:
        if recipe.system == key:
            make_run(tmp_path, recipe, accuracies=[0.5], name=name)

    rules = [line for line in page(key).splitlines() if line.startswith("| -")]

    assert 1 < max(line.count("|") - 1 for line in rules) <= 8


def test_system_a_stands_beside_the_nets_that_it_compares_itself_with(page):
    shown = table(page("A"))

    published = {name: dict(cells)["published, %"] for name, cells in shown.items()}
    assert published["inception_rrelu"] == "75.69 (last, 1 run)"
    assert published["highway19"] == "67.76 (last [inf], best of 5 runs)"
    assert published["dsn"] == "65.43 (last [inf], 1 run [inf])"


def test_system_d_is_an_ablation(page):
    shown = {name: cells[1] for name, cells in table(page("D")).items()}

    heading = "batch_norm / dropout / shared"
    assert shown["vgg_bn_dropout"] == (heading, "yes / yes / no")
    assert shown["vgg_plain"] == (heading, "no / no / yes")
    assert shown["Torch7 original with flips"] == (heading, "—")


def test_marks_of_memory_are_carried_to_the_reader(page):
    shown = page("F")

    published = dict(table(shown)["nin_rrelu"])["published, %"]
    assert published == "59.75 [mem] (last [inf], 1 run [inf])"
    assert dict(table(shown, OTHERS)["nin_rrelu"])["train error, %"] == "— / 11.41 [mem]"


def test_system_g_tells_the_time_to_its_accuracy(page):
    assert dict(table(page("G"), OTHERS)["airbench94"])["s/run"] == "— / 3.83"


def test_what_the_original_had_beside_our_recipes_is_a_row(page):
    entry, shown = "the ranked entry (200 trials)", page("H")

    assert dict(table(shown)[entry])["published, %"] == "75.25 ± 0.22"
    assert dict(table(shown, OTHERS)[entry])["s/run"] == "— / 3.96"


def test_only_pictures_that_are_there_are_shown(page):
    assert "](curves/system_b.svg)" in page("B", {"system_b.svg"})
    assert "## Curves" not in page("B")


@pytest.mark.parametrize("key", SYSTEMS)
def test_every_published_figure_of_a_page_has_its_source_there(page, key):
    sources = page(key).partition("## Sources")[2]

    facts = originals()
    assert all(f"- {source}\n" in sources for source in facts[facts["system"] == key]["source"])


def test_the_originals_name_systems_and_recipes_that_exist():
    facts = originals()
    assert {*facts["system"]} <= set(SYSTEMS)
    assert {*facts["recipe"]} <= {"", *recipe_names()}
    assert ((facts["recipe"] == "") != (facts["label"] == "")).all()
    assert (facts["source"] != "").all()
    assert {*facts["mark"]} <= {"", "mem", "inf", "dig", "calc"}


def test_the_time_of_system_a_is_the_sum_of_its_log():
    with (published_folder() / "cifar100_inception_rrelu.csv").open() as file:
        total = sum(float(row["seconds"]) for row in csv.DictReader(file))

    [stated] = originals().query("recipe == 'inception_rrelu' and quantity == 'seconds'")["value"]
    assert float(stated.replace(",", "")) == pytest.approx(total, abs=1)

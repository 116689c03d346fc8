import csv

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


def table(page):
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    head, _, *body = cells
    return {line[0].strip("`"): list(zip(head, line, strict=True)) for line in body}


def test_system_c_shows_depth_memory_seconds_and_error_beside_the_originals(
    page, tmp_path, resnet20, make_run
):
    make_run(tmp_path, resnet20, accuracies=[0.9171])

    # README of apark263/cfmz; ours from the run of tests/report/conftest.py, whose accuracies rise
    # in a line.
    assert table(page("C"))["resnet20"] == [
        ("recipe", "`resnet20`"),
        ("depth", "20"),
        ("accuracy, %: original", "91.71 (last, 1 run)"),
        ("its curve: last, best", "91.73, 91.79 [dig]"),
        ("ours", "91.71 (1)"),
        ("difference", "+0.00"),
        ("between the curves, points", "22.05 from epoch 93"),
        ("verdict", "one run, in its band"),
        ("error, %: original", "8.29"),
        ("ours", "8.29 (1)"),
        ("memory, MiB: original", "521"),
        ("ours", "2,000"),
        ("s/epoch: original", "11"),
        ("ours", "200"),
        ("hardware, ours", "Example CPU (2 cores)"),
    ]


def test_system_a_stands_beside_the_nets_that_it_compares_itself_with(page):
    shown = table(page("A"))

    published = {name: dict(cells)["accuracy, %: original"] for name, cells in shown.items()}
    assert published["inception_rrelu"] == "75.69 (last, 1 run)"
    assert published["highway19"] == "67.76 (last [inf], best of 5 runs)"
    assert published["dsn"] == "65.43 (last [inf], 1 run [inf])"


def test_system_d_is_an_ablation(page):
    shown = {name: [cell for _, cell in cells][1:4] for name, cells in table(page("D")).items()}

    assert shown["vgg_bn_dropout"] == ["yes", "yes", "no"]
    assert shown["vgg_plain"] == ["no", "no", "yes"]
    assert shown["Torch7 original with flips"][2] == "—"


def test_marks_of_memory_are_carried_to_the_reader(page):
    cells = dict(table(page("F"))["nin_rrelu"])

    assert cells["accuracy, %: original"] == "59.75 [mem] (last [inf], 1 run [inf])"
    assert cells["train error, %: original"] == "11.41 [mem]"


def test_system_g_tells_the_time_to_its_accuracy(page):
    assert dict(table(page("G"))["airbench94"])["s/run: original"] == "3.83"


def test_what_the_original_had_beside_our_recipes_is_a_row(page):
    cells = dict(table(page("H"))["the ranked entry (200 trials)"])

    assert (cells["accuracy, %: original"], cells["s/run: original"]) == ("75.25 ± 0.22", "3.96")


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

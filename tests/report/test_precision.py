"""Runs of one recipe in two precisions: what the report keeps apart, and what it counts once."""

import json
import re

import pytest

from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.records import RUN, WEIGHTS
from cifar_keras.report.cards import model_cards
from cifar_keras.report.comparison import comparison
from cifar_keras.report.curves import curve_figures
from cifar_keras.report.page import index_html
from cifar_keras.report.precisions import precisions
from cifar_keras.report.readme import results
from cifar_keras.report.results import collect
from cifar_keras.report.system_page import system_page
from cifar_keras.report.table import comparison_markdown
from cifar_keras.report.text import title
from cifar_keras.report.verdict import verdict


@pytest.fixture
def bfloat16(resnet20):
    return resnet20.model_copy(update={"precision": "mixed_bfloat16"})


@pytest.fixture
def both(tmp_path, resnet20, bfloat16, make_run):
    """What is collected of three full runs in float32 and, of the same seeds, in bfloat16."""
    for seed, accuracy in enumerate([0.915, 0.917, 0.919]):
        make_run(tmp_path, resnet20, accuracies=[accuracy], seed=seed)
    for seed, accuracy in enumerate([0.9101, 0.9102, 0.9103]):
        make_run(tmp_path, bfloat16, accuracies=[accuracy], seed=seed)
    return collect([("resnet20", resnet20)], [tmp_path])


def test_runs_of_two_precisions_are_two_full_rows_with_a_verdict_each(both):
    assert both.left_out == []
    assert [(row.label, row.full, row.slug) for row in both.rows] == [
        ("resnet20", True, "resnet20"),
        ("resnet20 (bfloat16)", True, "resnet20-mixed_bfloat16"),
    ]
    assert [(len(row.runs), verdict(row).text) for row in both.rows] == [
        (3, "reproduced"),
        (3, "short by 0.69"),
    ]
    assert [row.runs["accuracy"].mean() for row in both.rows] == [
        pytest.approx(91.7),
        pytest.approx(91.02),
    ]


def test_a_run_that_recorded_its_precision_as_an_override_counts_with_the_others(
    both, tmp_path, resnet20, bfloat16, make_run
):
    folder = make_run(tmp_path, bfloat16, accuracies=[0.9104], seed=3)
    tree = json.loads((folder / RUN).read_text())
    # As 0.4.0 wrote it.
    tree["overrides"] = ["precision=mixed_bfloat16"]
    tree["recipe_sha256"] = "27d40636f90decd3864778f912b1bab01470dae5fc50323eb051245fa1ab79fd"
    (folder / RUN).write_text(json.dumps(tree))

    float32, row = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert (len(float32.runs), len(row.runs), row.full) == (3, 4, True)


def test_without_runs_in_float32_its_row_is_there_and_empty(tmp_path, resnet20, bfloat16, make_run):
    make_run(tmp_path, bfloat16, accuracies=[0.917])

    rows = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert [(row.label, len(row.runs)) for row in rows] == [
        ("resnet20", 0),
        ("resnet20 (bfloat16)", 1),
    ]


def test_the_row_of_a_recipe_that_says_bfloat16_itself_is_that_of_its_runs(
    tmp_path, bfloat16, make_run
):
    make_run(tmp_path, bfloat16, accuracies=[0.917])

    [row] = collect([("resnet20", bfloat16)], [tmp_path]).rows

    assert (row.label, row.full, len(row.runs)) == ("resnet20 (bfloat16)", True, 1)


def test_a_scaled_run_in_bfloat16_is_a_scaled_run(tmp_path, resnet20, bfloat16, make_run):
    make_run(tmp_path, bfloat16, accuracies=[0.86], budget="0.1")

    _, row = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert (row.full, verdict(row).text) == (False, "no verdict: scaled")
    assert title(row) == "resnet20 (bfloat16), budget 0.1"
    assert row.slug == "resnet20-mixed_bfloat16-budget-0.1"


def test_each_precision_has_a_curve_that_names_it(both):
    figures = curve_figures(both.rows)

    assert {
        name: figure.texts[0].get_text() for name, figure in figures.items() if name != "system_c"
    } == {
        "resnet20": "resnet20: ResNet-20, neon, on CIFAR-10",
        "resnet20-mixed_bfloat16": "resnet20 (bfloat16): ResNet-20, neon, on CIFAR-10",
    }


def test_a_figure_of_several_recipes_has_one_precision_of_each(both):
    labels = [text.get_text() for text in curve_figures(both.rows)["system_c"].texts]

    assert [label for label in labels if label.startswith("resnet20")] == ["resnet20 (3 runs)"]


def test_a_figure_of_several_recipes_has_the_precision_that_was_run(
    tmp_path, resnet20, bfloat16, make_run
):
    make_run(tmp_path, bfloat16, accuracies=[0.917])

    figures = curve_figures(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert figures["system_c"].texts[2].get_text() == "resnet20 (bfloat16) (1 run)"


def test_the_table_names_the_precision_and_lists_each_recipe_once(both):
    markdown = comparison_markdown(both)

    runs, _, recipes = markdown.partition("## Recipes")
    named = re.findall(r"^\| (resnet20.*?) +\|", runs, flags=re.MULTILINE)
    assert named == ["resnet20", "resnet20 (bfloat16)"]
    assert re.findall(r"^\| (resnet20[^/]*?) +\|", recipes, flags=re.MULTILINE) == ["resnet20"]
    assert "### resnet20 (bfloat16)\n" in recipes


def test_the_csv_has_a_column_for_the_precision(both):
    table = comparison(both.rows)

    assert table[["recipe", "precision", "kind", "full_n"]].values.tolist() == [
        ["resnet20", "float32", "full", 3],
        ["resnet20", "bfloat16", "full", 3],
    ]


def test_the_readme_counts_the_recipe_once_and_names_the_precision(both):
    text = results(both.rows)

    assert "\n1 of 1 recipes " in text
    assert re.findall(r"^\| (ResNet-20.*?) +\|.*\| (.*?) +\|$", text, flags=re.MULTILINE) == [
        ("ResNet-20, neon (`resnet20`) on CIFAR-10", "reproduced"),
        ("ResNet-20, neon (`resnet20`) (bfloat16) on CIFAR-10", "short by 0.69"),
    ]


def test_the_page_has_a_row_and_a_chart_for_each_precision_and_counts_the_recipe_once(both):
    page = index_html(both.rows)

    assert re.findall(r'data-chart="(.*?)"', page) == ["resnet20", "resnet20-mixed_bfloat16"]
    assert '"id":"resnet20-mixed_bfloat16","name":"resnet20 (bfloat16)"' in page
    assert "1 recipe, 6 full runs, " in page


def test_the_systems_page_sets_the_originals_figures_beside_each_precision(both):
    page = system_page("C", both.rows, ()).partition("## What else was published")[2]

    lines = [line.split("|") for line in page.splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in line[1:-1]] for line in lines]
    memory = head.index("peak memory, MiB")
    assert [(line[0], line[memory]) for line in body] == [
        ("`resnet20`", "2,000 / 521"),
        ("`resnet20` (bfloat16)", "2,000 / 521"),
    ]


def test_a_card_says_in_which_precision_the_network_was_trained(tmp_path, bfloat16, make_run):
    folder = make_run(tmp_path, bfloat16, accuracies=[0.917])
    (folder / WEIGHTS).write_bytes(b"weights")
    rows = collect([("resnet20", load_recipe(recipe_path("resnet20")))], [tmp_path]).rows

    [(name, card)] = model_cards(rows, tmp_path).items()

    assert name == "card_resnet20_seed-1-mixed_bfloat16.md"
    assert card.startswith("# Model card: resnet20 (bfloat16), seed 1\n")
    assert "A full run of the shipped recipe.\n  Trained and evaluated in bfloat16.\n" in card
    assert "Verdict on the recipe's runs in bfloat16: one run, in its band." in card


def test_the_difference_of_two_precisions_has_its_welch_interval(both):
    head, _, *body = precisions(both.rows).splitlines()

    assert [cell.strip() for cell in head.split("|")[1:-1]][2:] == [
        *("accuracy, %", "in float32, %", "difference, points", "95 % interval"),
        *("versions", "versions in float32"),
    ]
    # Of 0.2 / sqrt(3) and 0.01 / sqrt(3), with 2 degrees of freedom: 4.303 * 0.1156.
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in body] == [
        [
            *("resnet20 (bfloat16)", "last epoch", "91.02 ± 0.01 (3)", "91.70 ± 0.20 (3)"),
            *("-0.68", "-1.18 to -0.18", "— (3)", "— (3)"),
        ]
    ]


def test_one_run_in_a_precision_has_no_interval(tmp_path, resnet20, bfloat16, make_run):
    for seed in (1, 2):
        make_run(tmp_path, resnet20, accuracies=[0.915 + seed / 1000], seed=seed)
    make_run(tmp_path, bfloat16, accuracies=[0.917])

    table = precisions(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert [cell.strip() for cell in table.splitlines()[2].split("|")][5:7] == ["+0.05", "—"]


def test_the_versions_of_the_runs_in_each_precision_are_counted(
    tmp_path, resnet20, bfloat16, make_run
):
    for seed, version in enumerate(["0.9.0", "1.0.0", "1.0.0"]):
        made_by = {"versions": {"cifar_keras": version}}
        make_run(tmp_path, resnet20, accuracies=[0.915], seed=seed, provenance=made_by)
    make_run(tmp_path, bfloat16, accuracies=[0.917])

    table = precisions(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert "| — (1) " in table
    assert "| 1.0.0 (2), 0.9.0 (1) |" in table


def test_runs_in_one_precision_are_not_compared(tmp_path, resnet20, bfloat16, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.917])
    make_run(tmp_path, bfloat16, accuracies=[0.86], budget="0.1")

    assert precisions(collect([("resnet20", resnet20)], [tmp_path]).rows) == ""

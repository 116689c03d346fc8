"""Runs that held images out of their training set: figures of their own, and no verdict."""

import pytest

from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.report.comparison import comparison
from cifar_keras.report.curves import curve_figures
from cifar_keras.report.page import index_html
from cifar_keras.report.results import collect
from cifar_keras.report.system_page import system_page
from cifar_keras.report.table import comparison_markdown
from cifar_keras.report.verdict import verdict

OVERRIDES = ["data.validation=5000"]
# The epoch before the last is best on both splits.
ACCURACIES = [0.90, 0.92, 0.91]


@pytest.fixture(scope="module")
def results(tmp_path_factory, make_run):
    root = tmp_path_factory.mktemp("runs")
    full = load_recipe(recipe_path("resnet20"))
    held = load_recipe(recipe_path("resnet20"), OVERRIDES)
    make_run(root, full, accuracies=[0.95])
    make_run(root, held, accuracies=ACCURACIES, overrides=OVERRIDES)
    return collect([("resnet20", full)], [root])


def test_a_run_with_validation_is_no_reproduction(results):
    full, held = results.rows

    assert (full.full, held.full) == (True, False)
    assert len(full.runs) == len(held.runs) == 1
    assert verdict(held).kind == "none"


def test_a_recipe_of_ones_own_that_holds_images_out_is_none_either(tmp_path, make_run):
    held = load_recipe(recipe_path("resnet20"), OVERRIDES)
    make_run(tmp_path, held, accuracies=[0.9], name="mine")

    [row] = collect([], [tmp_path]).rows

    assert not row.full
    assert row.note == "recipe not shipped; 5,000 training images held out"


def test_the_figures_by_validation_have_a_table_and_columns_of_their_own(results):
    csv = comparison(results.rows).iloc[1]
    assert csv["validation_accuracy_mean_percent"] == pytest.approx(90)
    assert csv["test_accuracy_chosen_by_validation_mean_percent"] == pytest.approx(92)
    for markdown in (comparison_markdown(results), system_page("C", results.rows, ())):
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()
        ]
        assert ["resnet20", *OVERRIDES, "90.00 (1)", "91.00 (1)", "92.00 (1)"] in rows
    assert "ours, epoch chosen by validation, %" in index_html(results.rows)


def test_without_held_out_images_no_column_is_there(results):
    full = results.rows[:1]

    assert not [name for name in comparison(full) if "validation" in name]
    assert "validation, %" not in index_html(full)


def test_the_validation_error_is_drawn(results):
    full, held = (curve_figures([row])[row.slug] for row in results.rows)

    assert len(held.axes[0].lines) == len(full.axes[0].lines) + 1
    assert "validation error" in [text.get_text() for text in held.texts]

import pandas as pd
import pytest

from cifar_keras.recipe import Reference, load_recipe, recipes_folder
from cifar_keras.records import TTA, Tta, write_record
from cifar_keras.report.results import collect
from cifar_keras.report.verdict import margin, verdict


def changed(recipe, **reference):
    new = Reference.model_validate({**recipe.reference.model_dump(), **reference})
    return recipe.model_copy(update={"reference": new})


@pytest.fixture
def judge(tmp_path, make_run):
    """The verdict on runs of a recipe with these accuracies, fractions, of the last epochs."""

    def of(recipe, *runs, **options):
        for seed, accuracies in enumerate(runs):
            last = accuracies if isinstance(accuracies, list) else [accuracies]
            make_run(tmp_path, recipe, accuracies=last, seed=seed, **options)
        rows = collect([("resnet20", recipe)], [tmp_path]).rows
        return verdict(next((row for row in rows if not row.runs.empty), rows[0]))

    return of


@pytest.fixture
def exact(resnet20):
    """91.71 % published, of unknown spread."""
    return changed(resnet20, spread=None)


def test_three_runs_around_the_published_figure_reproduce_it(judge, exact):
    found = judge(exact, 0.915, 0.917, 0.919)

    assert (found.kind, found.text) == ("reproduced", "reproduced")
    assert found.difference == pytest.approx(-0.01)
    # 4.303 x 0.2 / sqrt(3).
    assert found.margin == pytest.approx(0.4969, abs=1e-4)


def test_three_runs_below_their_interval_are_short_by_the_difference(judge, exact):
    found = judge(exact, 0.9101, 0.9102, 0.9103)

    assert (found.kind, found.text) == ("short", "short by 0.69")


def test_three_runs_above_their_interval_are_better(judge, exact):
    assert judge(exact, 0.9301, 0.9302, 0.9303).text == "better"


def test_equal_runs_have_no_margin(judge, exact):
    assert judge(exact, 0.9171, 0.9171, 0.9171).text == "reproduced"


def test_the_spread_of_a_published_run_widens_the_margin(resnet20):
    reference = resnet20.reference

    half = margin(reference, pd.Series([91.5, 91.7, 91.9]))

    # Variances 0.04 / 3 and 0.04; 2 x (4/3 + 4)^2 / (4/3)^2 = 32 degrees of freedom, t about 2.04.
    assert reference.spread.deviation == 0.2
    assert half == pytest.approx(2.042 * (0.04 / 3 + 0.04) ** 0.5)


def test_the_spread_of_several_published_runs_counts_by_their_number():
    reference = load_recipe(recipes_folder() / "highway19.yaml").reference

    half = margin(reference, pd.Series([67.4, 67.6, 67.8]))

    # 0.04 / 3 and 0.15^2 / 5 of 2 and 4 degrees of freedom: Welch's 3.38, rounded down; t 3.182.
    assert half == pytest.approx(3.182 * (0.04 / 3 + 0.15**2 / 5) ** 0.5)


def test_the_best_of_several_published_runs_gives_way_to_their_mean():
    reference = load_recipe(recipes_folder() / "highway19.yaml").reference

    assert (reference.accuracy, reference.expected) == (67.76, 67.61)


@pytest.mark.parametrize(
    ("runs", "kind", "text"),
    [
        ([0.9165], "in band", "one run, in its band"),
        ([0.9111], "in band", "one run, in its band"),
        ([0.915, 0.917], "in band", "two runs, in its band"),
        ([0.9081], "out of band", "one run, short of its band by 0.30"),
        ([0.9251], "out of band", "one run, above its band by 0.20"),
    ],
)
def test_one_run_or_two_are_judged_by_the_band_of_the_recipe(judge, resnet20, runs, kind, text):
    found = judge(resnet20, *runs)

    assert (found.kind, found.text, found.margin) == (kind, text, 0.6)


def test_one_run_without_a_band_has_no_verdict(judge, resnet20):
    found = judge(changed(resnet20, band=None), 0.9171)

    assert (found.kind, found.text) == ("none", "no verdict: one run, no band")


def test_a_recipe_that_was_not_run_has_no_verdict(judge, resnet20):
    assert judge(resnet20).text == "no verdict: not run"


def test_nothing_published_is_no_verdict(judge, synthetic):
    assert judge(synthetic, 0.9).text == "no verdict: nothing published"


def test_a_scaled_run_has_no_verdict_and_no_difference(judge, resnet20):
    found = judge(resnet20, 0.9171, 0.9171, 0.9171, budget="0.1")

    assert (found.text, found.difference) == ("no verdict: scaled", None)


def test_a_modified_run_has_no_verdict(judge, resnet20):
    assert judge(resnet20, 0.9171, overrides=["optimizer.momentum=0.8"]).text == (
        "no verdict: modified"
    )


def test_a_best_epoch_is_set_against_our_best_epochs_and_called_so(judge, resnet20):
    recipe = changed(resnet20, epoch="best")

    found = judge(recipe, [0.9171, 0.90])

    assert found.text == "one run, in its band (best epochs)"
    assert found.difference == pytest.approx(0)


def test_a_figure_with_tta_waits_for_ours_with_tta(judge, resnet20):
    recipe = changed(resnet20, augmented=True)

    assert judge(recipe, 0.9171).text == "no verdict: not evaluated with TTA"


def test_a_figure_with_tta_is_compared_with_ours_with_tta(tmp_path, resnet20, make_run):
    recipe = changed(resnet20, augmented=True)
    folder = make_run(tmp_path, recipe, accuracies=[0.99])
    views = {"test_correct": 9171, "test_images": 10000, "views": 6, "finished": "2026-01-01"}
    write_record(folder, TTA, Tta(test_accuracy=0.9171, weights_sha256="0" * 64, **views))

    [row] = collect([("resnet20", recipe)], [tmp_path]).rows

    assert verdict(row).difference == pytest.approx(0)

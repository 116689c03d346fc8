import csv

import pytest

from cifar_keras.recipe import load_recipe, recipes_folder
from cifar_keras.records import TTA, Tta, write_record
from cifar_keras.report import write_report
from cifar_keras.report.results import collect
from cifar_keras.report.table import comparison_markdown


def cells(markdown, heading, recipe):
    """The cells of the first line about `recipe` after `heading`."""
    lines = markdown[markdown.index(heading) :].splitlines()
    line = next(line for line in lines if line.startswith(f"| {recipe} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


FULL = "# Published figures and ours"
OTHER = "## Scaled or modified runs"


def test_no_run_is_a_dash_and_not_a_missing_row(tmp_path, resnet20):
    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    row = ["resnet20", "cifar10", "91.71 (last, 1 run)", "—", "—", "—"]
    row += ["no verdict: not run", "180"]
    assert cells(markdown, FULL, "resnet20") == row
    assert "from 0 full runs and 0 scaled or modified runs." in markdown
    assert markdown.count("cifar-keras train --recipe NAME") == 1
    assert OTHER not in markdown


def test_one_run_has_no_plus_minus(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.925, 0.9182])

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert cells(markdown, FULL, "resnet20")[3:] == [
        "91.82 (1)",
        "—",
        "+0.11",
        "one run, in its band",
        "180",
    ]
    assert "from 1 full run and" in markdown


def test_three_runs_are_mean_and_sample_deviation(tmp_path, resnet20, make_run):
    for seed, accuracy in enumerate([0.915, 0.917, 0.919]):
        make_run(tmp_path, resnet20, accuracies=[accuracy], seed=seed)

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert cells(markdown, FULL, "resnet20")[3:7] == [
        "91.70 ± 0.20 (3)",
        "—",
        "-0.01",
        "reproduced",
    ]


def test_a_scaled_run_never_enters_the_table_of_full_runs(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert "86.00" not in markdown[: markdown.index(OTHER)]
    assert cells(markdown, FULL, "resnet20")[3:6] == ["—", "—", "—"]
    assert cells(markdown, OTHER, "resnet20")[1:] == [
        "length",
        "cifar10",
        "91.71 (last, 1 run)",
        "86.00 (1)",
        "—",
        "no verdict: scaled",
        "18 of 180 (budget 0.1)",
    ]


def test_an_overridden_run_is_told_by_its_overrides(tmp_path, resnet20, make_run):
    overrides = ["optimizer.momentum=0.8"]
    altered = load_recipe(recipes_folder() / "resnet20.yaml", overrides)
    make_run(tmp_path, altered, accuracies=[0.92], overrides=overrides)

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    row = cells(markdown, OTHER, "resnet20")
    assert (row[1], row[6], row[7]) == (
        "optimizer.momentum=0.8",
        "no verdict: modified",
        "180",
    )


def test_a_recipe_without_published_figure_has_dashes(tmp_path, synthetic, make_run):
    make_run(tmp_path, synthetic, accuracies=[0.9], name="demo")

    markdown = comparison_markdown(collect([("demo", synthetic)], [tmp_path]))

    assert cells(markdown, FULL, "demo")[1:5] == [
        "synthetic10 (synthetic, not CIFAR)",
        "—",
        "90.00 (1)",
        "—",
    ]


def test_the_source_of_the_published_figure_stands_there(tmp_path, resnet20):
    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert cells(markdown, "## Recipes", "resnet20")[1:] == [
        "ResNet-20, neon",
        "C",
        "272,292",
        "91.71 (last, 1 run)",
        "apark263/cfmz README, error 8.29 %",
    ]


def test_evidence_lists_each_run(tmp_path, resnet20, make_run):
    provenance = {
        "git": {"revision": "fedcba9876543210", "dirty": True},
        "versions": {"tensorflow": "2.20.0", "keras": "3.12.0"},
        "data": {"official": True},
    }
    make_run(tmp_path, resnet20, accuracies=[0.91], seed=7, provenance=provenance)

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert cells(markdown, "## Evidence", "resnet20/seed-7") == [
        "resnet20/seed-7",
        "91.00",
        "—",
        "fedcba98 dirty",
        "2.20.0",
        "3.12.0",
        "official",
        "2026-01-01T00:00:00+00:00",
    ]
    assert "](curves/resnet20.svg)" in markdown


def test_a_damaged_folder_is_named_without_the_machines_paths(tmp_path, resnet20, make_run):
    folder = make_run(tmp_path, resnet20, accuracies=[0.91])
    (folder / "run.json").write_text("{")

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert "- `resnet20/seed-1`: 'resnet20/seed-1/run.json' is damaged: " in markdown
    assert str(tmp_path) not in markdown


def test_columns_are_aligned_and_bars_escaped(tmp_path, resnet20):
    recipe = resnet20.model_copy(update={"title": "one | two"})

    markdown = comparison_markdown(collect([("resnet20", recipe)], [tmp_path]))

    assert "one \\| two" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(line) for line in table[:3]}) == 1


def test_a_difference_that_rounds_to_nothing_has_no_minus(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.917099])

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    assert cells(markdown, FULL, "resnet20")[5] == "+0.00"


def comparison_csv(runs, recipe):
    """The lines of comparison.csv, a dict each."""
    write_report([("resnet20", recipe)], [runs], runs)
    with (runs / "comparison.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_keeps_full_and_scaled_figures_in_columns_of_their_own(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.915], seed=1)
    make_run(tmp_path, resnet20, accuracies=[0.919], seed=2)
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    full, scaled = comparison_csv(tmp_path, resnet20)

    assert (full["full_n"], full["seeds"]) == ("2", "1 2")
    assert full["full_accuracy_mean_percent"] == "91.7"
    assert full["full_accuracy_sd_percent"] == "0.2828"
    assert full["full_accuracy_min_percent"] == "91.5"
    assert full["full_accuracy_max_percent"] == "91.9"
    assert full["full_difference_points"] == "-0.01"
    assert (full["verdict"], full["full_difference_margin_points"]) == (
        "two runs, in its band",
        "0.6",
    )
    assert full["scaled_or_modified_accuracy_mean_percent"] == ""
    assert (scaled["full_accuracy_mean_percent"], scaled["full_difference_points"]) == ("", "")
    assert scaled["scaled_or_modified_accuracy_mean_percent"] == "86.0"
    assert (scaled["epochs"], scaled["full_epochs"], scaled["budget"]) == ("18", "180", "0.1")


@pytest.mark.parametrize("file", ["comparison.md", "comparison.csv"])
def test_unchanged_runs_give_the_same_bytes(tmp_path, resnet20, make_run, file):
    make_run(tmp_path / "runs", resnet20, accuracies=[0.91])

    for out in ("first", "second"):
        write_report([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path / out)

    assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def augment(folder, accuracy, weights="0" * 64):
    """Write what `evaluate --tta` leaves in a run folder."""
    record = Tta(
        test_accuracy=accuracy,
        test_correct=round(accuracy * 10000),
        test_images=10000,
        views=6,
        weights_sha256=weights,
        finished="2026-01-01T11:00:00+00:00",
    )
    write_record(folder, TTA, record)


def augmented(recipe):
    reference = recipe.reference.model_copy(update={"augmented": True})
    return recipe.model_copy(update={"reference": reference})


def test_figures_with_tta_have_a_column_of_their_own(tmp_path, resnet20, make_run):
    for seed, accuracy in enumerate([0.93, 0.94]):
        augment(make_run(tmp_path, resnet20, accuracies=[0.92], seed=seed), accuracy)
    make_run(tmp_path, resnet20, accuracies=[0.92], seed=9)

    markdown = comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))

    row = cells(markdown, FULL, "resnet20")
    assert row[3:6] == ["92.00 ± 0.00 (3)", "93.50 ± 0.71 (2)", "+0.29"]


def test_a_published_figure_with_tta_is_compared_with_ours_with_tta(tmp_path, resnet20, make_run):
    recipe = augmented(resnet20)
    folder = make_run(tmp_path, recipe, accuracies=[0.92])

    before = comparison_markdown(collect([("resnet20", recipe)], [tmp_path]))
    augment(folder, 0.93)
    after = comparison_markdown(collect([("resnet20", recipe)], [tmp_path]))

    published = "91.71 (last, 1 run, with TTA)"
    assert cells(before, FULL, "resnet20")[2:6] == [published, "92.00 (1)", "—", "—"]
    assert cells(after, FULL, "resnet20")[2:6] == [published, "92.00 (1)", "93.00 (1)", "+1.29"]


def test_views_of_other_weights_do_not_count(tmp_path, resnet20, make_run):
    augment(make_run(tmp_path, resnet20, accuracies=[0.92]), 0.99, weights="1" * 64)

    assert "99.00" not in comparison_markdown(collect([("resnet20", resnet20)], [tmp_path]))


def test_csv_keeps_what_is_augmented_apart(tmp_path, resnet20, make_run):
    augment(make_run(tmp_path, resnet20, accuracies=[0.92]), 0.93)

    [row] = comparison_csv(tmp_path, resnet20)

    assert (row["full_accuracy_mean_percent"], row["published_augmented_at_test"]) == (
        "92.0",
        "False",
    )
    assert row["full_augmented_at_test_mean_percent"] == "93.0"
    assert (row["full_augmented_at_test_n"], row["full_augmented_at_test_sd_percent"]) == ("1", "")


def test_marks_of_memory_and_inference_stand_at_what_they_are_of(tmp_path):
    recipes = [(name, load_recipe(recipes_folder() / f"{name}.yaml")) for name in MARKED]

    markdown = comparison_markdown(collect(recipes, [tmp_path]))

    assert {name: cells(markdown, FULL, name)[2] for name in MARKED} == MARKED


# From the READMEs of chenjz13/CIFAR-10_Pytorch and NAVIER-STOKED, and arXiv 1505.00853.
MARKED = {
    "nin_relu": "57.10 [mem] (last [inf], 1 run [inf])",
    "vgg_bn": "88.73 (best [inf], 1 run)",
    "speedrun100_long": "76.25 (last, 1 run [inf])",
    "highway19": "67.76 (last [inf], best of 5 runs)",
}

import json
import logging
from pathlib import Path

import pytest

from cifar_keras.recipe import load_recipe, recipes_folder
from cifar_keras.report.comparison import comparison
from cifar_keras.report.finished import LeftOut
from cifar_keras.report.results import collect

HISTORY = "resnet20/seed-1/history.csv"
RESULT = "resnet20/seed-1/result.json"


def test_the_last_epoch_and_not_the_best_is_the_headline(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.93, 0.91])

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert row.runs["accuracy"].mean() == pytest.approx(91.0)
    assert list(row.runs["best"]) == [pytest.approx(93.0)]


def test_a_recipe_without_runs_is_a_row(tmp_path, resnet20):
    [row] = collect([("resnet20", resnet20)], [tmp_path / "absent"]).rows

    assert (row.full, row.runs.empty) == (True, True)
    assert (row.epochs, row.parameters, row.hardware) == (180, 272292, "—")


def test_three_runs_give_mean_and_sample_deviation(tmp_path, resnet20, make_run):
    for seed, accuracy in enumerate([0.915, 0.917, 0.919]):
        make_run(tmp_path, resnet20, accuracies=[accuracy], seed=seed)

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    accuracies = row.runs["accuracy"]
    assert accuracies.mean() == pytest.approx(91.7)
    assert accuracies.std() == pytest.approx(0.2)
    assert (accuracies.min(), accuracies.max()) == (pytest.approx(91.5), pytest.approx(91.9))


def test_a_scaled_run_is_a_row_of_its_own(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    full, scaled = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert (full.full, len(full.runs)) == (True, 0)
    assert (scaled.full, scaled.runs["accuracy"].mean()) == (False, pytest.approx(86.0))
    assert (scaled.epochs, scaled.full_epochs) == (18, 180)
    assert scaled.slug == "resnet20-budget-0.1"


def test_an_overridden_run_is_a_row_of_its_own(tmp_path, resnet20, make_run):
    overrides = ["optimizer.momentum=0.8"]
    altered = load_recipe(recipes_folder() / "resnet20.yaml", overrides)
    make_run(tmp_path, altered, accuracies=[0.92], overrides=overrides)

    full, other = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert full.runs.empty
    assert not other.full
    assert other.note == "optimizer.momentum=0.8"
    assert other.slug == "resnet20-set-4e91d62d"


def test_a_run_of_a_recipe_changed_since_is_no_full_run_of_it(tmp_path, resnet20, make_run):
    before = resnet20.model_copy(update={"label_smoothing": 0.1})
    make_run(tmp_path, before, accuracies=[0.92])

    full, other = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert full.runs.empty
    assert not other.full
    assert other.note == f"another version of the recipe, {before.sha256()[:8]}"
    assert other.slug == f"resnet20-recipe-{before.sha256()[:8]}"


def test_a_recipe_file_that_is_not_shipped_gets_a_row(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.9], name="mine")

    shipped, mine = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert shipped.runs.empty
    assert (mine.name, mine.full, mine.note) == ("mine", True, "recipe not shipped")


def test_rows_keep_the_order_of_the_recipes_and_full_ones_come_first(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.8], name="b", budget="0.1")
    make_run(tmp_path, resnet20, accuracies=[0.9], name="a")

    rows = collect([("b", resnet20), ("a", resnet20)], [tmp_path]).rows

    assert [(row.name, row.full) for row in rows] == [("b", True), ("a", True), ("b", False)]


def test_the_same_run_under_two_roots_counts_once(tmp_path, resnet20, make_run):
    make_run(tmp_path / "runs", resnet20, accuracies=[0.91])
    make_run(tmp_path / "committed", resnet20, accuracies=[0.91])

    results = collect([("resnet20", resnet20)], [tmp_path / "runs", tmp_path / "committed"])

    assert len(results.rows[0].runs) == 1
    assert results.left_out == []


def test_committed_runs_have_rows_of_their_own_next_to_the_users(tmp_path, resnet20, make_run):
    make_run(tmp_path / "runs", resnet20, accuracies=[0.90])
    later = "2026-01-02T00:00:00+00:00"
    make_run(tmp_path / "kept", resnet20, accuracies=[0.92], started=later)

    mine, kept = collect([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path / "kept").rows

    assert (mine.label, mine.runs["accuracy"].mean()) == ("resnet20", pytest.approx(90.0))
    assert (kept.label, kept.runs["accuracy"].mean()) == (
        "resnet20 (committed)",
        pytest.approx(92.0),
    )
    assert (mine.slug, kept.slug) == ("resnet20", "resnet20-committed")


def test_a_committed_run_stands_for_a_recipe_that_the_user_did_not_run(
    tmp_path, resnet20, make_run
):
    make_run(tmp_path / "kept", resnet20, accuracies=[0.92])

    [row] = collect([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path / "kept").rows

    assert (row.committed, len(row.runs)) == (True, 1)


def test_a_copy_of_a_committed_run_is_shown_once_as_the_users(tmp_path, resnet20, make_run):
    for folder in ("runs", "kept"):
        make_run(tmp_path / folder, resnet20, accuracies=[0.92])

    [row] = collect([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path / "kept").rows

    assert (row.committed, len(row.runs)) == (False, 1)


@pytest.mark.parametrize("roots", [["older", "newer"], ["newer", "older"]])
def test_of_two_runs_of_one_seed_the_newer_counts(tmp_path, resnet20, make_run, roots):
    older, newer = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    make_run(tmp_path / "older", resnet20, accuracies=[0.93], started=older)
    make_run(tmp_path / "newer", resnet20, accuracies=[0.91], started=newer)

    results = collect([("resnet20", resnet20)], [tmp_path / root for root in roots])

    assert results.rows[0].runs["accuracy"].mean() == pytest.approx(91.0)
    reason = "started 2026-01-01T00:00:00+00:00; the same seed was run again later"
    assert results.left_out == [LeftOut("resnet20/seed-1", reason)]


def test_a_run_without_result_is_unfinished_and_not_counted(tmp_path, resnet20, make_run):
    folder = make_run(tmp_path, resnet20, accuracies=[0.91])
    (folder / "result.json").unlink()

    results = collect([("resnet20", resnet20)], [tmp_path])

    assert (len(results.rows[0].runs), results.left_out) == (0, [])


TWICE = "epoch,step,learning_rate,loss,accuracy,test_loss,test_accuracy,seconds,images_per_second\n"
TWICE += 2 * "1,391,0.1,1,0.5,1,0.5,200,250\n"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("run.json", "{", "'resnet20/seed-2/run.json' is damaged: "),
        ("result.json", '{"test_accuracy": 1}', "'resnet20/seed-2/result.json' is damaged: "),
        (
            "history.csv",
            "epoch,step\n1,nothing\n",
            "'resnet20/seed-2/history.csv' is damaged at line 2: ",
        ),
        ("history.csv", "", "'resnet20/seed-2' is damaged: its history has no rows"),
        ("history.csv", TWICE, "'resnet20/seed-2' is damaged: its history has 2 rows, "),
    ],
)
def test_a_damaged_folder_is_skipped_with_one_warning(
    tmp_path, resnet20, make_run, caplog, file, content, reason
):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    folder = make_run(tmp_path, resnet20, accuracies=[0.92], seed=2)
    (folder / file).write_text(content)

    with caplog.at_level(logging.WARNING, "cifar_keras"):
        results = collect([("resnet20", resnet20)], [tmp_path])

    assert list(results.rows[0].runs["seed"]) == [1]
    [left_out] = results.left_out
    assert left_out.name == "resnet20/seed-2"
    assert left_out.reason.startswith(reason)
    [message] = caplog.messages
    assert message.startswith(f"run folder '{folder}' is left out of the report: ")
    assert "\n" not in message


def test_missing_provenance_is_a_dash(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91], provenance={"git": None})

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    [run] = row.runs.itertuples()
    assert (row.hardware, row.dataset) == ("—", "cifar10")
    assert (run.revision, run.data_copy) == ("—", "—")


@pytest.mark.parametrize(
    ("hardware", "text"),
    [
        ({"cpu": "Example CPU", "cores": 2, "gpus": []}, "Example CPU (2 cores)"),
        (
            {"cpu": "Example CPU", "cores": 8, "gpus": ["GPU A", "GPU A"]},
            "GPU A, GPU A, Example CPU (8 cores)",
        ),
        ({"cpu": "Example CPU"}, "Example CPU"),
        ({"cpu": "Example CPU", "gpus": 1}, "Example CPU"),
    ],
)
def test_hardware_names_gpus_then_processor(tmp_path, resnet20, make_run, hardware, text):
    make_run(tmp_path, resnet20, accuracies=[0.91], provenance={"hardware": hardware})

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert row.hardware == text


def test_a_revision_of_another_type_is_shown_as_text(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91], provenance={"git": {"revision": 123456789}})

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert row.runs["revision"].iloc[0] == "12345678"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"official": True}, "cifar10"),
        ({"official": False}, "cifar10 (unofficial copy)"),
        (
            {"official": False, "content_official": True},
            "cifar10 (unofficial copy, contents official)",
        ),
    ],
)
def test_an_unofficial_copy_of_the_data_is_named(tmp_path, resnet20, make_run, data, text):
    make_run(tmp_path, resnet20, accuracies=[0.91], provenance={"data": data})

    [row] = collect([("resnet20", resnet20)], [tmp_path]).rows

    assert row.dataset == text


def test_synthetic_data_are_named(tmp_path, synthetic, make_run):
    make_run(tmp_path, synthetic, accuracies=[0.9], name="demo")

    [row] = collect([("demo", synthetic)], [tmp_path]).rows

    assert row.dataset == "synthetic10 (synthetic, not CIFAR)"


def test_a_length_that_is_no_whole_number_of_steps_is_still_the_full_one(
    tmp_path, resnet20, make_run
):
    [stage] = resnet20.stages
    longer = resnet20.model_copy(update={"stages": [stage.model_copy(update={"epochs": 180.002})]})
    make_run(tmp_path, longer, accuracies=[0.91])

    [row] = collect([("resnet20", longer)], [tmp_path]).rows

    # 70380.8 steps.
    assert row.runs["result"].iloc[0].steps == 70381
    assert (row.epochs, row.length_differs) == (180.002, False)


def test_what_made_a_row_is_in_comparison_csv(tmp_path, resnet20, make_run):
    for seed, version in enumerate(["1.0.0", "0.3.0", "1.0.0", None]):
        versions = {"cifar_keras": version} if version else {}
        git = {"revision": f"{seed}" * 40, "dirty": seed == 2}
        provenance = {"versions": versions, "git": git}
        make_run(tmp_path, resnet20, accuracies=[0.91], seed=seed, provenance=provenance)

    table = comparison(collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert list(table["versions"]) == ["0.3.0 1.0.0"]
    assert list(table["revisions"]) == ["00000000; 11111111; 22222222 dirty; 33333333"]


def test_an_unfinished_run_given_the_result_of_a_full_one_is_left_out(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    lines = (tmp_path / HISTORY).read_text().splitlines(keepends=True)
    last = lines[2].replace("0.0101111111", "0.91")
    (tmp_path / HISTORY).write_text("".join([*lines[:2], last]))

    results = collect([("resnet20", resnet20)], [tmp_path])

    assert results.rows[0].runs.empty
    reason = "'resnet20/seed-1' is damaged: its history has 2 rows, its recipe 180 epochs"
    assert results.left_out == [LeftOut("resnet20/seed-1", reason)]


def test_a_history_with_a_row_twice_in_place_of_another_is_left_out(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    lines = (tmp_path / HISTORY).read_text().splitlines(keepends=True)
    (tmp_path / HISTORY).write_text("".join([*lines[:7], lines[6], *lines[8:]]))

    [left_out] = collect([("resnet20", resnet20)], [tmp_path]).left_out

    assert "line 8 of its history is not an epoch of its recipe" in left_out.reason


@pytest.mark.parametrize(
    ("key", "value"),
    [("test_accuracy", 0.93), ("test_correct", 9300), ("epochs", 181.0), ("steps", 70381)],
)
def test_a_result_that_is_not_of_its_history_is_left_out(tmp_path, resnet20, make_run, key, value):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    result = json.loads((tmp_path / RESULT).read_text())
    (tmp_path / RESULT).write_text(json.dumps({**result, key: value}))

    results = collect([("resnet20", resnet20)], [tmp_path])

    assert results.rows[0].runs.empty
    assert f"{key} is {value} in its result" in results.left_out[0].reason


def test_the_committed_runs_are_whole():
    root = Path(__file__).parents[2] / "reports" / "runs"

    assert not collect([], [root]).left_out

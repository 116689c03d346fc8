import csv
import hashlib
import json
import shutil
from dataclasses import replace

import pytest

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.evaluate import evaluate_views
from cifar_keras.verify import network, verify_run

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HASHES = ("preprocessing.json", "history.csv", "result.json", "final.weights.h5")


def edit_row(folder, number, **cells):
    """Change cells of a row of history.csv; row -1 is the last."""
    with (folder / records.HISTORY).open() as file:
        rows = list(csv.DictReader(file))
    rows[number] |= cells
    with (folder / records.HISTORY).open("w") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_a_run_as_it_was_written_holds(folder, checks):
    found = checks(folder)

    assert {name: check.state for name, check in found.items() if check.state != "holds"} == {
        "result.json peak_memory_mib": "not checkable"
    }
    assert set(HASHES) < set(found)
    assert found["result.json test_correct again"].note.endswith(
        "same machine and versions: exactly"
    )
    assert "tta.json test_correct again" in found


def test_an_edited_history_is_detected_by_its_hash(folder, failing):
    (folder / records.WEIGHTS).unlink()
    edit_row(folder, 0, test_accuracy="0.99")

    assert "history.csv" in failing(folder)


@pytest.mark.parametrize(
    ("row", "cells", "found"),
    [
        (1, {"test_accuracy": "0.1234"}, "history.csv test_accuracy"),
        (1, {"learning_rate": "0.2"}, "history.csv learning_rate"),
        (1, {"step": "7"}, "history.csv rows"),
        (1, {"seconds": "1"}, "result.json seconds"),
        (0, {"test_accuracy": "0.995"}, "result.json best_on_test.test_accuracy"),
        (-1, {"test_accuracy": "0.995"}, "history.csv test_accuracy again"),
        (-1, {"test_loss": "0.01"}, "history.csv test_loss again"),
    ],
)
def test_an_edited_history_is_detected_without_its_hash(
    of_an_earlier_version, failing, row, cells, found
):
    if not found.endswith("again"):
        (of_an_earlier_version / records.WEIGHTS).unlink()
    edit_row(of_an_earlier_version, row, **cells)

    assert found in failing(of_an_earlier_version)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("mean", 0),
        pytest.param("factor", 2, marks=pytest.mark.slow),
        pytest.param("class_names", 9, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_another_preprocessing_than_that_of_the_data_is_detected(
    folder, checks, failing, key, place
):
    path = folder / records.PREPROCESSING
    content = json.loads(path.read_text())
    content[key][place] = "wolf" if key == "class_names" else 1.001 * content[key][place]
    path.write_text(json.dumps(content))

    assert set(failing(folder)) == {"preprocessing.json", "preprocessing.json again"}
    assert key.split("_")[0] in checks(folder)["preprocessing.json again"].note


def test_a_removed_preprocessing_is_detected(folder, failing):
    (folder / records.PREPROCESSING).unlink()

    assert failing(folder) == ["preprocessing.json"]


def test_a_history_that_was_cut_is_detected(of_an_earlier_version, failing):
    (of_an_earlier_version / records.WEIGHTS).unlink()
    path = of_an_earlier_version / records.HISTORY
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")

    assert "history.csv rows" in failing(of_an_earlier_version)


def test_a_swapped_weight_file_is_detected_by_its_hash_and_its_figures(trained, folder, failing):
    shutil.copy(trained[1] / records.WEIGHTS, folder)

    found = failing(folder)

    assert found[0] == "final.weights.h5"
    assert "result.json test_loss again" in found


def test_swapped_weights_whose_hash_is_written_anew_are_detected(
    trained, of_an_earlier_version, failing, edit
):
    folder = of_an_earlier_version
    shutil.copy(trained[1] / records.WEIGHTS, folder)
    digest = hashlib.sha256((folder / records.WEIGHTS).read_bytes()).hexdigest()
    edit(folder / records.RESULT, weights_sha256=digest)

    found = failing(folder)

    assert "final.weights.h5" not in found
    assert "result.json test_loss again" in found


def test_weights_of_another_network_are_a_line_and_no_traceback(folder, checks):
    (folder / records.WEIGHTS).write_bytes(b"no weights")

    assert checks(folder)["figures again"].state == "FAILS"


def test_a_result_written_by_hand_is_detected_by_hash_history_and_network(folder, failing, edit):
    edit(folder / records.RESULT, test_accuracy=0.995, test_correct=199)

    found = failing(folder)

    assert {"result.json", "result.json test_accuracy", "result.json test_correct again"} <= set(
        found
    )


def test_a_result_and_a_history_made_to_agree_are_detected_by_the_network(
    of_an_earlier_version, failing, edit
):
    folder = of_an_earlier_version
    edit_row(folder, -1, test_accuracy="0.995")
    best = {"test_accuracy": 0.995, "epoch": 3, "note": "chosen on the test set"}
    edit(folder / records.RESULT, test_accuracy=0.995, test_correct=199, best_on_test=best)

    assert failing(folder) == ["result.json test_correct again", "history.csv test_accuracy again"]


@pytest.mark.parametrize("key", ["parameters", "macs", "test_images", "epochs", "steps"])
def test_each_number_of_the_result_is_found_again(of_an_earlier_version, failing, edit, key):
    if key not in ("parameters", "macs"):
        (of_an_earlier_version / records.WEIGHTS).unlink()
    edit(of_an_earlier_version / records.RESULT, **{key: 1})

    assert f"result.json {key}" in failing(of_an_earlier_version)


def test_a_recipe_changed_afterwards_is_detected(folder, checks):
    tree = json.loads((folder / records.RUN).read_text())
    tree["recipe"]["optimizer"]["momentum"] = 0.8
    (folder / records.WEIGHTS).unlink()
    (folder / records.RUN).write_text(json.dumps(tree))

    found = checks(folder)

    assert found["recipe"].state == "FAILS"
    assert (found["recipe as shipped"].state, found["recipe as shipped"].note) == (
        "differs",
        "in optimizer.momentum",
    )


def test_a_run_in_half_precision_is_of_the_recipe_as_shipped(of_an_earlier_version, checks, edit):
    run = records.read_run(of_an_earlier_version)
    mixed = run.recipe.model_copy(update={"precision": "mixed_bfloat16"})
    (of_an_earlier_version / records.WEIGHTS).unlink()
    # The format of version 0.4.0.
    edit(
        of_an_earlier_version / records.RUN,
        recipe=mixed.model_dump(mode="json"),
        recipe_sha256=mixed.sha256_with_precision(),
        overrides=[*run.overrides, "precision=mixed_bfloat16"],
    )

    found = checks(of_an_earlier_version)

    assert (found["recipe"].state, found["recipe as shipped"].state) == ("holds", "holds")


def test_other_data_are_detected(folder, dataset):
    (folder / records.WEIGHTS).unlink()
    hashes = {"train": "1" * 64, "test": "3" * 64}
    other = replace(dataset, provenance=dataset.provenance | {"content_sha256": hashes})

    [check] = [c for c in verify_run(folder, records.read_run(folder), other) if c.name == "data"]

    assert check.state == "FAILS"


def test_an_augmented_accuracy_written_by_hand_is_detected(folder, failing, edit):
    edit(folder / records.TTA, test_accuracy=0.995, test_correct=199)

    assert failing(folder) == ["tta.json", "tta.json test_correct again"]


def test_without_weights_a_changed_tta_json_is_detected_by_its_hash(folder, failing, edit):
    (folder / records.WEIGHTS).unlink()
    edit(folder / records.TTA, test_accuracy=0.995, test_correct=199)

    assert failing(folder) == ["tta.json"]


def test_a_tta_json_that_was_taken_away_is_detected(folder, failing):
    (folder / records.TTA).unlink()

    assert failing(folder) == ["tta.json"]


def test_an_accuracy_with_tta_holds_exactly_where_it_was_measured(folder, checks, monkeypatch):
    rule = checks(folder)["tta.json test_correct again"].note
    monkeypatch.setattr(network, "this_machine", lambda: {"cpu": "another"})

    elsewhere = checks(folder)["tta.json test_correct again"].note

    assert rule.endswith("same machine and versions: exactly")
    assert "another machine or version: must agree within" in elsewhere


@pytest.mark.slow
def test_of_two_evaluations_the_last_counts(folder, checks, dataset):
    time = "2026-01-01T00:00:00+00:00"
    tta = records.read_tta(folder).model_copy(update={"finished": time})
    records.write_record(folder, records.TTA, tta)
    assert checks(folder)["tta.json"].state == "FAILS"

    evaluate_views(folder, records.read_run(folder), dataset)

    assert checks(folder)["tta.json"].state == "holds"
    assert [event.kind for event in records.read_run(folder).events][-2:] == 2 * ["evaluated"]


def test_a_tta_json_of_an_earlier_version_has_no_hash(folder, checks):
    tree = json.loads((folder / records.RUN).read_text())
    tree["events"] = [each for each in tree["events"] if each["kind"] != "evaluated"]
    (folder / records.RUN).write_text(json.dumps(tree))

    found = checks(folder)

    assert (found["tta.json"].state, found["tta.json"].note) == (
        "not recorded",
        "its hash was not recorded",
    )
    assert "within" in found["tta.json test_correct again"].note


def test_an_augmented_accuracy_of_other_weights_is_detected(trained, folder, failing):
    shutil.copy(trained[1] / records.TTA, folder)
    (folder / records.WEIGHTS).unlink()

    assert "tta.json weights_sha256" in failing(folder)


def test_without_weights_everything_else_is_checked(folder, checks, failing, edit):
    (folder / records.WEIGHTS).unlink()
    digest = records.read_result(folder).weights_sha256

    found = checks(folder)

    assert found["final.weights.h5"].state == found["figures again"].state == "absent"
    assert found["final.weights.h5"].note == f"weights absent; their sha256 is {digest}"
    assert failing(folder) == []
    edit(folder / records.RESULT, test_correct=199)
    assert failing(folder) == ["result.json", "result.json test_correct"]


def test_what_an_earlier_version_did_not_keep_is_said_and_does_not_fail(
    of_an_earlier_version, checks
):
    found = checks(of_an_earlier_version)

    assert {name for name, check in found.items() if check.state == "not recorded"} == {
        "history.csv",
        "result.json",
    }
    assert not any(check.state == "FAILS" for check in found.values())


def test_an_unfinished_run_holds_as_far_as_it_goes(of_an_earlier_version, checks):
    folder = of_an_earlier_version
    tree = json.loads((folder / records.RUN).read_text())
    tree["events"] = tree["events"][:1]
    (folder / records.RUN).write_text(json.dumps(tree))
    for name in (records.RESULT, records.WEIGHTS):
        (folder / name).unlink()

    found = checks(folder)

    assert found["result.json"].state == "unfinished"
    assert not any(check.state == "FAILS" for check in found.values())


def test_an_unfinished_run_given_the_result_of_a_whole_one_is_detected(
    of_an_earlier_version, failing
):
    folder = of_an_earlier_version
    tree = json.loads((folder / records.RUN).read_text())
    tree["events"] = tree["events"][:1]
    (folder / records.RUN).write_text(json.dumps(tree))
    (folder / records.WEIGHTS).unlink()
    path = folder / records.HISTORY
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")

    assert {"history.csv rows", "run.json finish"} <= set(failing(folder))


def test_an_event_of_the_end_that_was_taken_away_is_detected(folder, failing):
    tree = json.loads((folder / records.RUN).read_text())
    tree["events"] = [each for each in tree["events"] if each["kind"] != "finished"]
    (folder / records.RUN).write_text(json.dumps(tree))

    assert failing(folder) == ["run.json finish"]


@pytest.mark.parametrize(("key", "value"), [("views", 7), ("test_images", 100)])
def test_the_views_and_images_of_an_augmented_accuracy_are_checked(
    folder, failing, edit, key, value
):
    (folder / records.WEIGHTS).unlink()
    edit(folder / records.TTA, **{key: value})

    assert failing(folder) == ["tta.json", f"tta.json {key}"]


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_in_the_weights_is_detected_and_no_traceback(folder, failing, place):
    content = bytearray((folder / records.WEIGHTS).read_bytes())
    content[int(place * len(content))] ^= 64
    (folder / records.WEIGHTS).write_bytes(content)

    assert "final.weights.h5" in failing(folder)


def test_a_provenance_of_another_form_is_one_line(folder, checks):
    tree = json.loads((folder / records.RUN).read_text())
    tree["provenance"]["data"] = ["a list"]
    (folder / records.RUN).write_text(json.dumps(tree))

    with pytest.raises(RunError, match=r"provenance\.data"):
        checks(folder)


def test_a_result_that_was_taken_away_is_detected(folder, failing):
    (folder / records.RESULT).unlink()

    assert failing(folder) == ["result.json"]


def test_a_history_that_was_taken_away_is_told(folder, checks):
    (folder / records.HISTORY).unlink()

    with pytest.raises(RunError, match=r"has no history\.csv"):
        checks(folder)


@pytest.mark.parametrize(("every", "state"), [(2, "holds"), (1, "FAILS"), (0, "FAILS")])
def test_only_the_tests_that_the_run_was_to_leave_out_may_be_missing(
    folder, checks, edit, every, state
):
    edit_row(folder, 0, test_accuracy="", test_loss="")
    edit(folder / records.RUN, test_every=every)

    assert checks(folder)["history.csv tests"].state == state


def test_a_finished_run_whose_last_epoch_is_not_tested_fails(folder, checks):
    edit_row(folder, -1, test_accuracy="", test_loss="")

    found = checks(folder)

    assert (found["result.json"].state, found["history.csv tests"].state) == ("FAILS", "FAILS")

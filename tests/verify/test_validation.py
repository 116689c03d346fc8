"""A run that holds out training images, unchanged and forged."""

import csv
import json
import shutil

import pytest

from cifar_keras import records
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.layers import convolution
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run.folder import Job
from cifar_keras.run.train import Every, train

HELD = 8
OVERRIDES = (
    f"data.validation={HELD}",
    "data.batch_size=40",
    "stages=[{epochs: 2, start: scratch, schedule: {kind: constant, learning_rate: 0.1}}]",
)


@pytest.fixture(scope="module")
def validated(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("runs") / "demo" / "seed-1"
    recipe = load_recipe(recipe_path("demo"), OVERRIDES)
    job = Job("demo", recipe, 1, "1", OVERRIDES, folder, ("cifar-keras", "train"))
    with pytest.MonkeyPatch.context() as patch:
        # XLA would compile Winograd convolution, which does not matter here.
        patch.setattr(convolution, "_LEAST_CHANNELS", 1000)
        train(job, dataset, make_strategy("cpu"), Every())
    return folder


@pytest.fixture
def folder(validated, tmp_path):
    """Return a copy of the run without the hashes of its files, as a forger would leave it."""
    folder = shutil.copytree(validated, tmp_path / "run")
    tree = json.loads((folder / records.RUN).read_text())
    for event in tree["events"]:
        event["files"] = {}
    (folder / records.RUN).write_text(json.dumps(tree))
    return folder


def write_cells(folder, number, **cells):
    """Change cells of a row of history.csv, or with None drop their columns."""
    with (folder / records.HISTORY).open() as file:
        rows = list(csv.DictReader(file))
    rows[number] |= cells
    names = [name for name in rows[0] if cells.get(name, "") is not None]
    with (folder / records.HISTORY).open("w") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_validation(folder, **changes):
    tree = json.loads((folder / records.RESULT).read_text())
    tree["validation"] |= changes
    (folder / records.RESULT).write_text(json.dumps(tree))


def test_the_validation_figures_are_recomputed(folder, checks, failing):
    found = checks(folder)

    assert failing(folder) == []
    for name in (
        "history.csv validation_accuracy",
        "result.json validation.best.test_accuracy",
        "result.json validation.correct again",
        "history.csv validation_accuracy again",
        "result.json validation.loss again",
        "history.csv validation_loss again",
    ):
        assert found[name].state == "holds", name


@pytest.mark.parametrize("accuracy", ["0.3", ""])
def test_a_validation_accuracy_must_be_a_whole_number_of_images(folder, failing, accuracy):
    write_cells(folder, 0, validation_accuracy=accuracy)

    assert "history.csv validation_accuracy" in failing(folder)


def test_a_better_validation_accuracy_made_to_agree_is_detected_by_the_network(folder, failing):
    write_cells(folder, -1, validation_accuracy="1")
    best = {"test_accuracy": records.read_result(folder).test_accuracy, "accuracy": 1, "epoch": 2}
    write_validation(folder, accuracy=1, correct=HELD, best=best)

    assert failing(folder) == [
        "result.json validation.correct again",
        "history.csv validation_accuracy again",
    ]


def test_another_epoch_than_the_one_chosen_is_detected(folder, failing):
    best = records.read_result(folder).validation.best.model_dump()
    write_validation(folder, best=best | {"epoch": 3 - best["epoch"]})

    assert failing(folder) == ["result.json validation.best.epoch"]


def test_validation_figures_that_are_not_in_the_history_are_detected(folder, failing):
    write_cells(folder, 0, validation_accuracy=None, validation_loss=None)

    assert {"history.csv validation_accuracy", "result.json validation.accuracy"} <= set(
        failing(folder)
    )


def test_so_many_images_that_no_class_keeps_one_are_a_line_and_no_traceback(folder, failing):
    tree = json.loads((folder / records.RUN).read_text())
    tree["recipe"]["data"]["validation"] = 48
    (folder / records.RUN).write_text(json.dumps(tree))

    assert failing(folder) == ["data.validation"]

"""An experiment trains and tests without a run: no folder, no signals, no other process."""

import keras
import numpy as np
import pytest

from cifar_keras.data import Dataset, Split
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.errors import RecipeError
from cifar_keras.experiment import Experiment
from cifar_keras.recipe import load_recipe, recipe_path

SCHEDULE = "schedule: {kind: constant, learning_rate: 0.1}"
FEW = [
    "data.batch_size=16",
    "model.depth=8",
    "reference=null",
    f"stages=[{{epochs: 2, start: scratch, frozen: [], {SCHEDULE}}}]",
]


@pytest.fixture(scope="module")
def dataset():
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    return Dataset(
        name="synthetic10",
        train=split(40),
        test=split(20),
        class_names=tuple("abcdefghij"),
        provenance={},
    )


def experiment(dataset, *overrides, devices="cpu"):
    recipe = load_recipe(recipe_path("resnet20"), [*FEW, *overrides])
    return Experiment(recipe, dataset, 1, make_strategy(devices))


class Logs(keras.callbacks.Callback):
    """Keeps the logs of each epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))


@pytest.fixture(scope="module")
def trained(dataset):
    """Return an experiment after its only leg, and its logs."""
    made, logs = experiment(dataset), Logs()
    [leg] = made.plan.legs(made.place)
    made.fit(leg, [logs])
    return made, logs.epochs


def test_a_leg_is_trained_and_tested_and_moves_the_place(trained):
    made, logs = trained

    assert (made.place.stage, made.place.step) == (0, 6)
    assert [epoch for epoch, _ in logs] == [0, 1]
    assert logs[-1][1]["learning_rate"] == pytest.approx(0.1)


def test_evaluation_is_the_test_after_the_last_epoch(trained):
    made, logs = trained

    found = made.evaluate()

    assert found["loss"] == pytest.approx(logs[-1][1]["val_loss"])
    assert found["accuracy"] == pytest.approx(logs[-1][1]["val_accuracy"])


def test_an_epoch_whose_steps_are_done_ends_as_fit_ends_it(trained):
    made, logs = trained
    epoch, whole = logs[-1]
    again = Logs()

    made.end_epoch({"loss": whole["loss"], "accuracy": whole["accuracy"]}, [again])

    assert again.epochs == [(epoch, pytest.approx(whole))]


def test_a_batch_has_an_image_for_each_device(dataset):
    with pytest.raises(RecipeError, match=r"^data.batch_size is 1, less than the 2 devices; "):
        experiment(dataset, "data.batch_size=1", devices="cpu:2")

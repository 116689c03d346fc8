"""A run's saved weights on all test images: accuracy, per class, and what is confused."""

import hashlib
import logging
import warnings
from dataclasses import dataclass
from math import prod
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cifar_keras import runs
from cifar_keras.data import Dataset
from cifar_keras.data.pipeline import evaluation_batches
from cifar_keras.data.statistics import normalization
from cifar_keras.errors import RunError
from cifar_keras.models import build_model


@dataclass(frozen=True)
class Evaluation:
    """What the network says of each test image.

    `confusion` is (classes, classes): row the true class, column the predicted one, in images.
    """

    confusion: NDArray[np.int64]
    class_names: tuple[str, ...]

    @property
    def images(self) -> int:
        """How many images were shown."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many were recognised."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """The fraction recognised."""
        return self.correct / self.images

    def class_accuracies(self) -> list[tuple[str, float]]:
        """Each class with its fraction recognised, lowest first."""
        shares = np.diag(self.confusion) / self.confusion.sum(axis=1)
        return sorted(zip(self.class_names, shares.tolist(), strict=True), key=lambda pair: pair[1])

    def most_confused(self, count: int = 5) -> list[tuple[str, str, int]]:
        """The largest off-diagonal entries as (true, taken for, images), largest first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [np.unravel_index(place, wrong.shape) for place in order]
        named = [(self.class_names[t], self.class_names[p], int(wrong[t, p])) for t, p in pairs]
        return [pair for pair in named if pair[2]]


def evaluate(folder: Path, run: runs.Run, dataset: Dataset) -> Evaluation:
    """Build the run's network, load its weights, and show it all test images once.

    Raises:
        RunError: the weights are missing or do not fit the network.
    """
    weights = folder / runs.WEIGHTS
    if not weights.is_file():
        raise RunError(f"'{folder}' has no {runs.WEIGHTS}: finish the run with `cifar-keras train`")
    _warn_of_differences(folder, run, dataset)
    recipe = run.recipe
    model = build_model(
        recipe.model.name, recipe.input_shape, recipe.num_classes, recipe.model.arguments
    )
    try:
        with warnings.catch_warnings():
            # What Keras warns of here it refuses in the end.
            warnings.simplefilter("ignore")
            model.load_weights(weights)
        # Keras passes over what the file has and the network has not.
        if _numbers_in(weights) != sum(prod(variable.shape) for variable in model.variables):
            raise ValueError("it holds more than the network has")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"'{weights}' does not fit the run's network: {reason}") from None
    norm = normalization(recipe.data, dataset.train.images)
    batches = evaluation_batches(dataset.test.images, dataset.test.labels, recipe.data, norm)
    predicted = model.predict(batches, verbose=0).argmax(axis=-1)
    classes = recipe.num_classes
    places = dataset.test.labels * classes + predicted
    confusion = np.bincount(places, minlength=classes**2).reshape(classes, classes)
    return Evaluation(confusion, dataset.class_names)


def _numbers_in(weights: Path) -> int:
    sizes: list[int] = []
    with h5py.File(weights) as file:
        file.visititems(lambda _, node: sizes.append(getattr(node, "size", 0)))
    return sum(sizes)


def _warn_of_differences(folder: Path, run: runs.Run, dataset: Dataset) -> None:
    log = logging.getLogger("cifar_keras")
    then = run.provenance.get("data", {}).get("content_sha256")
    if then != dataset.provenance["content_sha256"]:
        log.warning("the data is not what the run was trained on: its content hash differs")
    if (folder / runs.RESULT).is_file():
        stated = runs.read_result(folder).weights_sha256
        if hashlib.sha256((folder / runs.WEIGHTS).read_bytes()).hexdigest() != stated:
            log.warning("the weights are not those the run ended with: their hash differs")

"""Use trained networks from Python: a run folder with its network and records."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cifar_keras import data, records
from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.data.recorded import Inputs, recorded_inputs
from cifar_keras.errors import ArgumentError, RunError
from cifar_keras.files import sha256_of
from cifar_keras.quiet import import_tensorflow
from cifar_keras.recipe import Recipe
from cifar_keras.tables import history_frame

if TYPE_CHECKING:
    import keras

# The folder in which `pretrained` looks for runs.
RUNS_VARIABLE = "CIFAR_KERAS_RUNS"
_COMMITTED = Path(__file__).resolve().parent.parent / "reports" / "runs"


class TrainedRun:
    """A run folder with its recipe, network, history and result.

    `load_run` and `train` return it. Network, history and result are read on first use.

    Attributes:
        folder: the run folder.
        record: run.json: seed, budget, overrides, command, versions, machine and events.

    Args:
        folder: the run folder.
        data_dir: CIFAR directory, for runs that did not record how images were normalized.
    """

    def __init__(self, folder: Path, data_dir: Path | None = None) -> None:
        self.folder, self._data_dir = folder, data_dir
        self.record = records.read_run(folder)

    def __repr__(self) -> str:
        named = f"{self.recipe.named(self.record.name)} seed {self.record.seed}"
        state = "unfinished"
        if self.finished:
            state = f"test accuracy {100 * self.result.test_accuracy:.2f} %"
        return f"TrainedRun({str(self.folder)!r}, {named}, {state})"

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe that the run was trained with."""
        return self.record.recipe

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return (self.folder / records.RESULT).exists()

    @cached_property
    def result(self) -> records.Result:
        """result.json: the figures after the last epoch, accuracies as fractions.

        Raises:
            RunError: the run is unfinished, or the file is damaged.
        """
        return records.read_result(self.folder)

    @cached_property
    def history(self) -> pd.DataFrame:
        """history.csv: one row per epoch, with the columns of `records.Epoch`.

        Raises:
            RunError: no epoch is finished, or the file is damaged.
        """
        return history_frame(records.read_history(self.folder))

    @cached_property
    def model(self) -> keras.Model:
        """The network with the run's final weights, uncompiled.

        It maps normalized images (B, H, W, 3), as `normalize` returns them, to logits. If the
        folder has only weights with float16 kernels, these are loaded.

        Raises:
            RunError: the weights are missing, differ from the run's record, or do not fit.
        """
        weights = self._checked_weights()
        import_tensorflow()
        from cifar_keras.evaluate import load_network

        return load_network(self.folder, self.record, weights)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the labels."""
        return self._inputs.class_names

    def normalize(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the input of `model`: images normalized, and cropped at the center.

        Args:
            images: uint8, shape (N, 32, 32, 3), RGB.

        Raises:
            ArgumentError: the images have another shape or type.
        """
        images = _checked(images)
        import_tensorflow()
        from cifar_keras.export import preprocessing

        return np.asarray(preprocessing(self.recipe.data, self._inputs)(images))

    def predict(self, images: NDArray[np.uint8], batch_size: int = 250) -> NDArray[np.float32]:
        """Return the class probabilities that `model` predicts, shape (N, classes).

        Args:
            images: uint8, shape (N, 32, 32, 3), RGB.
            batch_size: the number of images per batch.

        Raises:
            ArgumentError: the images have another shape or type.
            RunError: as `model`.
        """
        images = _checked(images)
        probabilities: NDArray[np.float32] = self._probabilities.predict(
            images, batch_size=batch_size, verbose=0
        )
        return probabilities

    @cached_property
    def _probabilities(self) -> keras.Model:
        # Import Keras first: `model` does.
        network = self.model
        import keras

        from cifar_keras.export import serving_network

        whole = serving_network(network, self.record, self._inputs)
        return keras.Model(whole.input, whole.output["probabilities"])

    @cached_property
    def _inputs(self) -> Inputs:
        if known := recorded_inputs(self.folder, self.record):
            return known
        return Inputs.of(data.load(self.recipe.dataset, self._data_dir), self.recipe.data)

    def _checked_weights(self) -> Path:
        weights = records.weights_file(self.folder)
        half = records.read_half(self.folder) if weights.name == records.HALF_WEIGHTS else None
        if sha256_of(weights) != (half or self.result).weights_sha256:
            raise RunError(
                f"'{weights}' has another SHA-256 than the run recorded; restore the file"
            )
        return weights


def _checked(images: Any) -> NDArray[np.uint8]:
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.shape[1:] != IMAGE_SHAPE or not len(array):
        raise ArgumentError(
            "images must be uint8 of shape (N, 32, 32, 3), with N at least 1. "
            f"Received: {array.dtype} of shape {array.shape}"
        )
    return array


def load_run(
    folder: str | Path,
    *,
    data_dir: str | Path | None = None,
    trust_model: str | Path | None = None,
) -> TrainedRun:
    """Return a run folder's recipe, history, result and network.

    Args:
        folder: the run folder, such as `runs/resnet20/seed-1`.
        data_dir: CIFAR directory; needed only for runs with a mean image made before 1.0.
        trust_model: allow the run to import a network from this folder; importing runs its code.

    Raises:
        RunError: the folder holds no run, or a damaged one.
    """
    if trust_model:
        import_tensorflow()
        from cifar_keras.models import allow_outside

        allow_outside(Path(trust_model))
    return TrainedRun(Path(folder), Path(data_dir) if data_dir else None)


def pretrained(
    recipe: str, precision: str | None = None, *, root: str | Path | None = None
) -> keras.Model:
    """Return a recipe's network with the weights of a full run, checked by their SHA-256.

    It is the run's `TrainedRun.model`: uncompiled, from normalized images to logits. Of several
    runs, the one with the lowest seed is used.

    Args:
        recipe: the recipe's name.
        precision: the run's precision; None prefers float32.
        root: a folder of run folders (default: `$CIFAR_KERAS_RUNS`, then the checkout's
            `reports/runs`).

    Raises:
        RunError: there are no weights of this recipe, or they differ from the run's record.
    """
    given = root or os.environ.get(RUNS_VARIABLE)
    place = Path(given) if given else _COMMITTED
    kept = list(_kept(place))
    found = [run for run in kept if run.record.name == recipe]
    if precision:
        found = [run for run in found if run.recipe.precision == precision]
    if not found:
        raise RunError(_no_weights(recipe, precision, place, kept))
    best = min(found, key=lambda run: (run.recipe.precision != "float32", run.record.seed))
    return best.model


def _kept(place: Path) -> Iterator[TrainedRun]:
    """Yield the full runs below a folder that have weights."""
    for folder in records.find_runs([place]):
        # Skip damaged runs; `runs` reports them.
        with suppress(RunError):
            run = TrainedRun(folder)
            records.weights_file(folder)
            if run.finished and not (run.record.scaled or run.record.altered):
                yield run


def _no_weights(recipe: str, precision: str | None, place: Path, kept: Sequence[TrainedRun]) -> str:
    wanted = f"'{recipe}'" + (f" in {precision}" if precision else "")
    there = sorted({f"{run.record.name} in {run.recipe.precision}" for run in kept})
    has = ", ".join(there) or "none (only a checkout has some, not the installed package)"
    return (
        f"no weights of {wanted} in '{place}', which has: {has}; name a folder of run folders with "
        f"root= or ${RUNS_VARIABLE}"
    )

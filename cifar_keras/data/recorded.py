"""What a run recorded about its data, so that its network can be used without the data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.data.dataset import IMAGE_SHAPE, Dataset
from cifar_keras.data.holdout import held_out
from cifar_keras.data.normalize import Normalization, normalization, official_normalization
from cifar_keras.data.official import CLASS_NAMES, CONTENT_SHA256
from cifar_keras.errors import RunError
from cifar_keras.recipe import Data


@dataclass(frozen=True)
class Inputs:
    """How a network's images are normalized, and the names of its classes."""

    normalization: Normalization
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset, data: Data) -> "Inputs":
        """Return the inputs for a recipe's `data` section and a data set."""
        train = held_out(dataset, data.validation).train
        return cls(normalization(data, train.images), dataset.class_names)

    def record(self) -> records.Preprocessing:
        """Return the content of preprocessing.json."""
        return records.Preprocessing(
            mean=_numbers(self.normalization.mean),
            factor=_numbers(self.normalization.factor),
            class_names=list(self.class_names),
        )


def recorded_inputs(folder: Path, run: records.Run) -> Inputs | None:
    """Return the inputs of a run from its records; None if that requires the data.

    Versions before 1.0 did not record them. For the official images they are known anyway, unless
    the recipe uses a mean image.

    Raises:
        RunError: the record is damaged.
    """
    if (record := records.read_preprocessing(folder)) is not None:
        return _read(folder, run.recipe.data, record)
    dataset = run.recipe.dataset
    if run.recipe.data.validation:
        # The statistics are those of the images that were not held out.
        return None
    content = run.provenance.get("data", {}).get("content_sha256") or {}
    if dataset not in CLASS_NAMES or content.get("train") != CONTENT_SHA256[dataset]["train"]:
        return None
    official = official_normalization(run.recipe.data, dataset)
    return Inputs(official, CLASS_NAMES[dataset]) if official else None


def _read(folder: Path, data: Data, record: records.Preprocessing) -> Inputs:
    shapes = {"image": (data.crop, data.crop, 3), "pixel": IMAGE_SHAPE}
    wanted = shapes.get(data.mean, (3,)) if isinstance(data.mean, str) else (3,)
    try:
        mean = np.array(record.mean, np.float32)
    # Rows have different lengths.
    except ValueError:
        mean = np.empty(0, np.float32)
    if mean.shape != wanted:
        raise RunError(
            f"'{folder / records.PREPROCESSING}' is damaged: mean must have the shape {wanted}; "
            "restore the file, or remove it to use the data set instead"
        )
    contrast = None if data.contrast == "none" else data.contrast
    factor = np.array(record.factor, np.float32)
    return Inputs(
        Normalization(mean, factor, contrast, data.mean == "pixel"), tuple(record.class_names)
    )


def _numbers(array: NDArray[np.float32]) -> list[Any]:
    # The shortest decimals that round to the same float32.
    shortest = [float(str(value)) for value in array.ravel()]
    numbers: list[Any] = np.reshape(shortest, array.shape).tolist()
    return numbers

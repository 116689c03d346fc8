"""The peers' data: the published images as arrays, in a folder that all of them read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Arrays:
    """Images uint8 (N, 32, 32, 3), labels int64 (N,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Return the mean of each channel of the training images, in gray levels."""
        return self.train_images[:5000].mean((0, 1, 2)).astype(np.float32)

    @property
    def deviation(self) -> np.ndarray:
        """Return the standard deviation of each channel, in gray levels."""
        return self.train_images[:5000].std((0, 1, 2)).astype(np.float32)


def write(folder: Path, arrays: Arrays) -> None:
    """Write the arrays to the folder."""
    folder.mkdir(parents=True)
    for part in PARTS:
        np.save(folder / f"{part}.npy", getattr(arrays, part))


def read(folder: Path) -> Arrays:
    """Return the arrays written by `write`."""
    return Arrays(*(np.load(folder / f"{part}.npy") for part in PARTS))

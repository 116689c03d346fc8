"""The sample sheet of a data set: original images, and how a recipe augments them."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.dataset import Dataset
from cifar_keras.data.normalize import Normalization
from cifar_keras.data.pipeline import TrainingBatches
from cifar_keras.data.sheet import write_sheet
from cifar_keras.recipe import Data

COLUMNS, AUGMENTED_ROWS = 10, 3


def write_samples(path: Path, dataset: Dataset, data: Data, recipe: str, seed: int) -> Path:
    """Write a PNG with one training image of each of the first ten classes; return its path."""
    labels = dataset.train.labels
    chosen = np.array([int(np.argmax(labels == label)) for label in range(COLUMNS)])
    images = dataset.train.images[chosen]
    rows = [("plain", images)]
    rows += [
        (f"{recipe}, draw {draw + 1}", _augmented(images, data, seed + draw))
        for draw in range(AUGMENTED_ROWS)
    ]
    names = [dataset.class_names[label] for label in labels[chosen]]
    kind = "synthetic images, not CIFAR" if dataset.synthetic else "training images"
    write_sheet(path, rows, names, f"{dataset.name}: {kind}, plain and as {recipe} augments them")
    return path


def _augmented(images: NDArray[np.uint8], data: Data, seed: int) -> NDArray[np.uint8]:
    """Return each image as it is augmented in training, with pixel values from 0 to 255."""
    # Without normalization the output still has pixel values from 0 to 255. Zero padding, which
    # stands for the mean, is then black.
    gray = Normalization(np.zeros(3, np.float32), np.ones(3, np.float32))
    places = tf.range(len(images), dtype=tf.int64)
    batches = TrainingBatches(images, np.arange(len(images)), data, gray, seed)
    batch = batches.augmented(places, tf.zeros_like(places), tf.constant(0, tf.int64))
    return np.asarray(batch.images).astype(np.uint8)

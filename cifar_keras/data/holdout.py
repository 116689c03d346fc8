"""Training images held out for validation: which ones, on every machine and for every seed."""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cifar_keras.data.dataset import Dataset, Split
from cifar_keras.errors import RecipeError


def held_out(dataset: Dataset, count: int) -> Dataset:
    """Return the data set with `count` of its training images as its validation split.

    Each class gives its share of them, rounded by largest remainders: the images whose SHA-256
    digests are smallest. An image's digest is that of its 3,072 bytes, row by row, red green blue.
    So the choice depends neither on a seed nor on the order of the files, and a smaller split is
    part of a larger one where shares are whole numbers. Both splits keep their order.

    Returns `dataset` itself where it has so many held out already.

    Raises:
        RecipeError: `data.validation` leaves no training image, or none of a class.
        ValueError: another number is held out already.
    """
    done = len(dataset.validation) if dataset.validation else 0
    if done == count:
        return dataset
    if done:
        raise ValueError(f"{done} images are held out already. Received: count={count}")
    train = dataset.train
    if count >= len(train):
        raise RecipeError(
            f"data.validation is {count:,}; must be less than the {len(train):,} training images "
            f"of {dataset.name}"
        )
    sizes = np.bincount(train.labels, minlength=dataset.num_classes)
    shares = _shares(sizes, count)
    for name, left in zip(dataset.class_names, np.where(sizes, sizes - shares, 1), strict=True):
        if not left:
            raise RecipeError(
                f"data.validation is {count:,}, which leaves no training image of class '{name}'; "
                "lower it"
            )
    digests = np.array([hashlib.sha256(image.tobytes()).digest() for image in train.images])
    order = np.argsort(digests, kind="stable")
    chosen = np.zeros(len(train), bool)
    for label, share in enumerate(shares):
        chosen[order[train.labels[order] == label][:share]] = True
    return replace(dataset, train=_part(train, ~chosen), validation=_part(train, chosen))


def _shares(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return how many images each class gives; of equal remainders the first class's counts."""
    shares, rests = np.divmod(count * sizes, sizes.sum())
    shares[np.argsort(-rests, kind="stable")[: count - shares.sum()]] += 1
    return shares


def _part(split: Split, mask: NDArray[np.bool_]) -> Split:
    return Split(split.images[mask], *(labels[mask] for labels in split.all_labels))

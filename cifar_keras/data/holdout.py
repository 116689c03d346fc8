"""The training images held out for validation, the same on every machine and for every seed."""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cifar_keras.data.dataset import Dataset, Split
from cifar_keras.errors import RecipeError


def held_out(dataset: Dataset, count: int) -> Dataset:
    """Return the data set with `count` of its training images as its validation split.

    Each class contributes in proportion to its size, rounded by the largest remainder method. From
    each class the images with the smallest SHA-256 digests are taken. The digest is that of the
    image's 3,072 bytes, row by row, red green blue. So the choice does not depend on the seed or on
    the order of the files. If no rounding is needed, a smaller split is part of a larger one. Both
    splits keep their order.

    Args:
        dataset: Returned as it is if `count` images are held out already.
        count: How many images to hold out.

    Raises:
        RecipeError: `data.validation` leaves no training image, or none of a class.
        ValueError: a different number is held out already.
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
    """Return how many images each class contributes; of equal remainders the first one wins."""
    shares, rests = np.divmod(count * sizes, sizes.sum())
    shares[np.argsort(-rests, kind="stable")[: count - shares.sum()]] += 1
    return shares


def _part(split: Split, mask: NDArray[np.bool_]) -> Split:
    return Split(split.images[mask], *(labels[mask] for labels in split.all_labels))

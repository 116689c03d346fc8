"""A data set in memory: its splits, class names and provenance."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGE_SHAPE = (32, 32, 3)


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels, in a fixed order.

    Attributes:
        images: uint8, shape (N, 32, 32, 3), channels in the order red, green, blue.
        labels: int64, shape (N,): the class. In CIFAR-100 it is the fine one.
        coarse_labels: int64, shape (N,), or None if the data set has no groups of classes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    coarse_labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.shape[1:] != IMAGE_SHAPE:
            raise ValueError(
                "images must be uint8 of shape (N, 32, 32, 3). "
                f"Received: {self.images.dtype} of shape {self.images.shape}"
            )
        for labels in self.all_labels:
            if labels.dtype != np.int64 or labels.shape != (len(self),):
                raise ValueError(
                    f"labels must be int64 of shape ({len(self)},). "
                    f"Received: {labels.dtype} of shape {labels.shape}"
                )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        arrays = {name: array for name, array in vars(self).items() if array is not None}
        shapes = [f"{name}={array.dtype}{[*array.shape]}" for name, array in arrays.items()]
        return f"Split({', '.join(shapes)})"

    @property
    def all_labels(self) -> tuple[NDArray[np.int64], ...]:
        """The labels, then the coarse labels if there are any."""
        return (self.labels,) if self.coarse_labels is None else (self.labels, self.coarse_labels)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set in memory.

    Attributes:
        name: One of `DATASETS`.
        train: The training split.
        test: The test split.
        class_names: One name per class, in the order of the labels.
        coarse_names: One name per group of classes, or None if there are no groups.
        provenance: Where the images came from: JSON-serializable, without paths of this machine.
        validation: Images held out of the training split, or None; see `held_out`.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    coarse_names: tuple[str, ...] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    validation: Split | None = None

    def __repr__(self) -> str:
        held_out = f"{len(self.validation)} validation images, " if self.validation else ""
        sizes = f"{len(self.train)} training images, {held_out}{len(self.test)} test images"
        return f"Dataset({self.name!r}, {self.num_classes} classes, {sizes})"

    @property
    def num_classes(self) -> int:
        """Number of (fine) classes."""
        return len(self.class_names)

    @property
    def synthetic(self) -> bool:
        """Whether the images were generated from a seed instead of published."""
        return bool(self.provenance["synthetic"])


def content_sha256(split: Split) -> str:
    """Return a hex digest of a split's images and labels that does not depend on their order.

    It is the sha256 of the sorted sha256 digests of the examples. An example is the 3,072 bytes of
    its image (row by row, red green blue), then one byte for its label and, if there is one, one
    for its coarse label.

    Args:
        split: Labels must be below 256.
    """
    labels = np.stack(split.all_labels, axis=1).astype(np.uint8)
    digests = [
        hashlib.sha256(image.tobytes() + label.tobytes()).digest()
        for image, label in zip(split.images, labels, strict=True)
    ]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()

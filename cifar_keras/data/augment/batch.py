"""A batch on its way through the transforms, and the base class of transforms."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Batch:
    """Images and labels of a step, or one replica's shard of them.

    Attributes:
        images: float32 (B, crop, crop, 3).
        labels: int32 (B,), or float32 (B, num_classes) after images were mixed.
        indices: int64 (B,), the positions of the images in the training set.
        rows: int32 (B, crop), the rows of the padded images that the crops were read from.
        columns: int32 (B, crop), the columns; they are descending in a mirrored image.
        flips: bool (B,), which images are mirrored.
        size: int32 scalar, how many images the whole batch has.
        shard: the images' position in the whole batch.
        num_classes: how many classes there are.
    """

    images: tf.Tensor
    labels: tf.Tensor
    indices: tf.Tensor
    rows: tf.Tensor
    columns: tf.Tensor
    flips: tf.Tensor
    size: tf.Tensor
    shard: slice
    num_classes: int

    def one_hot_labels(self) -> tf.Tensor:
        """Return the labels as float32 (B, num_classes)."""
        if self.labels.shape.rank == 1:
            return tf.one_hot(self.labels, self.num_classes)
        return self.labels


class Transform(ABC):
    """A pure function `(batch, key) -> batch`; the key is None if it needs no random numbers.

    It draws random numbers for the whole batch, `batch.size` images, and keeps those of
    `batch.shard`, so that several replicas together see what one device would.

    Attributes:
        mixes: whether it combines images of a batch with each other, and so needs the whole batch.
    """

    mixes = False

    @abstractmethod
    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        """Return the transformed batch; `key` is int64 (2,)."""

"""A random square of each image set to zero."""

from dataclasses import dataclass, replace

import tensorflow as tf

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.streams import uniform


@dataclass(frozen=True)
class Cutout(Transform):
    """Sets a random square of each image to zero; the square is entirely inside the image.

    Args:
        side: of the square, in pixels.

    Reference:
        DeVries and Taylor 2017, arXiv 1708.04552, where squares may be partly outside.
    """

    side: int

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        crop = batch.images.shape[1]
        corners = uniform((batch.size, 2), key, 0, crop - self.side + 1, tf.int32)
        corners = corners[batch.shard][..., None]
        inside = (tf.range(crop) >= corners) & (tf.range(crop) < corners + self.side)
        hole = inside[:, 0, :, None] & inside[:, 1, None, :]
        return replace(batch, images=tf.where(hole[..., None], 0.0, batch.images))

"""Padding that is zero after normalization."""

from dataclasses import dataclass, replace

import tensorflow as tf

from cifar_keras.data.augment.batch import Batch, Transform


@dataclass(frozen=True)
class ZeroBorder(Transform):
    """Sets the padding in each crop to zero.

    Args:
        pad: how many pixels wide the padding is.
        side: of the padded images.
    """

    pad: int
    side: int

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        inside = self._inside(batch.rows)[:, :, None] & self._inside(batch.columns)[:, None, :]
        return replace(batch, images=tf.where(inside[..., None], batch.images, 0.0))

    def _inside(self, coordinates: tf.Tensor) -> tf.Tensor:
        return (coordinates >= self.pad) & (coordinates < self.side - self.pad)

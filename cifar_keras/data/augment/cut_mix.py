"""A rectangle of each image taken from a partner in the batch."""

from dataclasses import dataclass, replace

import tensorflow as tf

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.augment.mix_up import Alpha, partners_and_shares
from cifar_keras.data.streams import fold, uniform


@dataclass(frozen=True)
class CutMix(Transform):
    """Replaces a rectangle of each image by that of a partner, and mixes the labels by area.

    The rectangle's center is anywhere in the image. Only the part inside the image counts.

    Args:
        alpha: the fraction of each image that is kept is drawn from Beta(alpha, alpha).

    Reference:
        Yun et al. 2019, arXiv 1905.04899.
    """

    alpha: Alpha
    mixes = True

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        partners, share = partners_and_shares(batch.size, self.alpha, key)
        crop = batch.images.shape[1]
        half = tf.floor(tf.sqrt(1 - share) * crop)[:, None] / 2

        def inside(place: int) -> tf.Tensor:
            center = uniform((batch.size,), fold(key, place), 0, crop, tf.int32)
            distance = tf.range(crop, dtype=tf.float32) - tf.cast(center, tf.float32)[:, None]
            return (distance >= -half) & (distance < half)

        rectangle = inside(4)[:, :, None] & inside(5)[:, None, :]
        images = tf.where(rectangle[..., None], tf.gather(batch.images, partners), batch.images)
        labels = batch.one_hot_labels()
        cut = tf.reduce_mean(tf.cast(rectangle, tf.float32), axis=(1, 2))[:, None]
        labels = (1 - cut) * labels + cut * tf.gather(labels, partners)
        return replace(batch, images=images, labels=labels)

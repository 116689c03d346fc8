"""The normalization of cropped and flipped images."""

from dataclasses import replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.normalize import Normalization, contrast_terms_of_set
from cifar_keras.pixels import normalize


class Normalizer(Transform):
    """Normalizes images; a mean image is cropped and mirrored like the images.

    Args:
        images: all training images, uint8 (N, H, W, 3).
        normalization: the numbers.
        pad: how many pixels of padding the crops are read from.
    """

    def __init__(self, images: NDArray[np.uint8], normalization: Normalization, pad: int) -> None:
        self._norm = normalization
        self._side = images.shape[1] + 2 * pad
        self._factor = tf.constant(normalization.factor)
        mean = normalization.mean
        if normalization.uncropped:
            mean = np.pad(mean, ((pad, pad), (pad, pad), (0, 0))).reshape(-1, 3)
        elif mean.ndim == 3:
            mean = np.stack([mean, mean[:, ::-1]])
        self._mean = tf.constant(mean)
        terms: tuple[NDArray[np.float32], ...] = ()
        if normalization.contrast:
            terms = contrast_terms_of_set(images, normalization.contrast)
        self._contrast = [tf.constant(term[:, None, None, None]) for term in terms]

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        images = batch.images
        if self._contrast:
            images = normalize(images, *(tf.gather(term, batch.indices) for term in self._contrast))
        return replace(batch, images=normalize(images, self._mean_of(batch), self._factor))

    def _mean_of(self, batch: Batch) -> tf.Tensor:
        if self._norm.uncropped:
            places = batch.rows[:, :, None] * self._side + batch.columns[:, None, :]
            return tf.gather(self._mean, places)
        if self._norm.mean.ndim == 3:
            # The mean image of crops belongs to images before the flip, so a mirrored image needs
            # it mirrored.
            return tf.gather(self._mean, tf.cast(batch.flips, tf.int32))
        return self._mean

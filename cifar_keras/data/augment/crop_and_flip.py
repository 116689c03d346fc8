"""Random crops and flips of padded images, read by a single gather."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.augment.batch import Batch
from cifar_keras.data.streams import Stream, stream_key, uniform
from cifar_keras.recipe import Data


class CropAndFlip:
    """Reads cropped and flipped batches from the padded uint8 images.

    This is the first step, so it is not a `Transform`. Cropping and flipping separately, or copying
    whole padded images first, would each cost another pass over memory.

    Args:
        images: uint8 (N, H, W, 3).
        labels: integers (N,).
        data: the recipe's data section.
        seed: the run's seed.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], data: Data, seed: int
    ) -> None:
        padded = pad_images(images, data.padding, data.pad)
        self.side = padded.shape[1]
        self._data, self._seed = data, seed
        self._num_classes = int(labels.max()) + 1
        self._pixels = tf.constant(padded.reshape(-1, 3))
        self._labels = tf.constant(labels.astype(np.int32))
        # For alternating flips: which images are mirrored in the first epoch.
        key = stream_key(seed, Stream.FLIP, tf.constant(0, tf.int64))
        self._coins = uniform((len(images),), key, 0, 2, tf.int32)

    def __call__(
        self, indices: tf.Tensor, epochs: tf.Tensor, step: tf.Tensor, shard: slice
    ) -> Batch:
        """Return the shard of a step's batch, with these images (B,) of these epochs (B,)."""
        crop, size = self._data.crop, tf.shape(indices)[0]
        key = stream_key(self._seed, Stream.CROP, step)
        corners = uniform((size, 2), key, 0, self.side - crop + 1, tf.int32)[shard]
        flips = self._flips(indices, epochs, step)[shard]
        indices = indices[shard]
        forth = tf.range(crop)
        rows = corners[:, :1] + forth
        columns = corners[:, 1:] + tf.where(flips[:, None], crop - 1 - forth, forth)
        first = tf.cast(indices, tf.int32) * self.side**2
        within = rows[:, :, None] * self.side + columns[:, None, :]
        return Batch(
            images=tf.cast(tf.gather(self._pixels, first[:, None, None] + within), tf.float32),
            labels=tf.gather(self._labels, indices),
            indices=indices,
            rows=rows,
            columns=columns,
            flips=flips,
            size=size,
            shard=shard,
            num_classes=self._num_classes,
        )

    def _flips(self, indices: tf.Tensor, epochs: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        if self._data.flip == "random":
            key = stream_key(self._seed, Stream.FLIP, step)
            coins = uniform(tf.shape(indices), key, 0, 2, tf.int32)
        elif self._data.flip == "alternating":
            coins = (tf.gather(self._coins, indices) + tf.cast(epochs, tf.int32)) % 2
        else:
            coins = tf.zeros(tf.shape(indices), tf.int32)
        return tf.cast(coins, tf.bool)


def pad_images(images: NDArray[np.uint8], mode: str, width: int) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) images with `width` more pixels on each side.

    Args:
        images: uint8 (N, H, W, 3).
        mode: `zeros` (black; `ZeroBorder` sets it to zero after normalization), `reflect` (without
            the edge pixel), or `mean`, which is neon's `np.pad(..., mode="mean")`: new rows hold
            the rounded means of the columns, then new columns hold those of the rows, including
            the new rows.
        width: how many pixels to add.
    """
    if width == 0:
        return images
    if mode != "mean":
        widths = ((0, 0), (width, width), (width, width), (0, 0))
        return np.pad(images, widths, mode="reflect" if mode == "reflect" else "constant")
    count, height, breadth, channels = images.shape
    padded = np.empty((count, height + 2 * width, breadth + 2 * width, channels), np.uint8)
    inner = padded[:, :, width:-width]
    inner[:, width:-width] = images
    inner[:, :width] = inner[:, -width:] = np.rint(images.mean(axis=1, keepdims=True))
    row_means = np.rint(inner.mean(axis=2, keepdims=True))
    padded[:, :, :width] = padded[:, :, -width:] = row_means
    return padded

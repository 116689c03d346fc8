"""Batches as a pure function of (seed, step): order, crops and flips through stateless operations.

Nothing is remembered between batches, so a run that resumes at any step sees what it would have
seen. Augmentation is per image and vectorised: one gather takes a whole batch, crops and flips
included, out of the padded uint8 images.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.statistics import Normalization, pad_images
from cifar_keras.recipe import Data
from cifar_keras.schedules import steps_per_epoch

# Each kind of draw has a stream of its own under the run's seed.
_ORDER, _CROP, _FLIP = range(3)

# RandomIndexShuffle is a block cipher. With its default of 4 rounds neighbours stay correlated and
# with consecutive keys even the positions are uneven; keys hashed by Philox and 16 rounds pass
# chi-square tests on positions, differences and pairs.
_ROUNDS = 16


def _stream(seed: int, kind: int, index: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(tf.constant([seed, kind], tf.int64), index)


def permuted(
    positions: tf.Tensor, passes: tf.Tensor, seed: int, count: int, span: int = 1
) -> tf.Tensor:
    """The images at these int64 positions (B,) of these passes (B,), each pass a permutation.

    `span` is how many consecutive passes, from `passes[0]` on, the batch may touch.
    """

    def key(one_pass: tf.Tensor) -> tf.Tensor:
        stream = _stream(seed, _ORDER, one_pass)
        return tf.random.stateless_uniform([3], stream, None, None, tf.int64, alg="philox")

    first = passes[0]
    keys = tf.stack([key(first + later) for later in range(span)])
    return tf.raw_ops.RandomIndexShuffle(
        index=positions,
        seed=tf.gather(keys, passes - first),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=_ROUNDS,
    )


class TrainingBatches:
    """The batches of a run: float32 (B, crop, crop, 3) images and int32 (B,) labels.

    Args:
        images: uint8 (N, 32, 32, 3).
        labels: integers (N,).
        data: the recipe's data section.
        normalization: what it comes to on these images.
        seed: the run's seed.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        data: Data,
        normalization: Normalization,
        seed: int,
    ) -> None:
        padded = pad_images(images, data.padding, data.pad)
        self.count, self.size = len(images), padded.shape[1]
        self.data, self.seed = data, seed
        self.steps_per_epoch = steps_per_epoch(data, self.count)
        self._pixels = tf.constant(padded.reshape(-1, 3))
        self._labels = tf.constant(labels.astype(np.int32))
        self._mean = tf.constant(normalization.mean)
        self._factor = tf.constant(normalization.factor)

    def batch(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The batch of a step (int64, counted from the start of the run)."""
        chosen = self._chosen(step)
        rows, columns, flips = self._window(step, tf.shape(chosen)[0])
        corner = tf.cast(chosen, tf.int32) * self.size
        places = (corner[:, None] + rows)[:, :, None] * self.size + columns[:, None, :]
        pixels = tf.cast(tf.gather(self._pixels, places), tf.float32)
        images = (pixels - self._means(flips)) * self._factor
        if self.data.padding == "zeros":
            inside = self._inside(rows)[:, :, None] & self._inside(columns)[:, None, :]
            images = tf.where(inside[..., None], images, 0.0)
        if self.data.last_batch != "keep":
            images.set_shape((self.data.batch_size, self.data.crop, self.data.crop, 3))
        return images, tf.gather(self._labels, chosen)

    def _chosen(self, step: tf.Tensor) -> tf.Tensor:
        batch_size = self.data.batch_size
        if self.data.last_batch == "carry":
            stream = step * batch_size + tf.range(batch_size, dtype=tf.int64)
            passes, positions = stream // self.count, stream % self.count
            span = batch_size // self.count + 2
        else:
            start = step % self.steps_per_epoch * batch_size
            positions = tf.range(start, tf.minimum(start + batch_size, self.count), dtype=tf.int64)
            passes = tf.fill(tf.shape(positions), step // self.steps_per_epoch)
            span = 1
        return permuted(positions, passes, self.seed, self.count, span)

    def _window(self, step: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Rows and columns (B, crop) of the padded images to read, and flips (B,) as booleans."""
        crop, freedom = self.data.crop, self.size - self.data.crop + 1
        corners = tf.random.stateless_uniform(
            (size, 2), _stream(self.seed, _CROP, step), 0, freedom, tf.int32, alg="philox"
        )
        if self.data.flip == "random":
            coins = tf.random.stateless_uniform(
                (size,), _stream(self.seed, _FLIP, step), 0, 2, tf.int32, alg="philox"
            )
            flips = tf.cast(coins, tf.bool)
        else:
            flips = tf.fill((size,), False)
        forth = tf.range(crop)
        across = tf.where(flips[:, None], crop - 1 - forth, forth)
        return corners[:, :1] + forth, corners[:, 1:] + across, flips

    def _means(self, flips: tf.Tensor) -> tf.Tensor:
        # The mean image is subtracted before the flip, so a mirrored image needs it mirrored.
        if self._mean.shape.rank == 1:
            return self._mean
        return tf.gather(tf.stack([self._mean, self._mean[:, ::-1]]), tf.cast(flips, tf.int32))

    def _inside(self, coordinates: tf.Tensor) -> tf.Tensor:
        return (coordinates >= self.data.pad) & (coordinates < self.size - self.data.pad)

    def dataset(self, first_step: int, last_step: int) -> tf.data.Dataset:
        """The batches of the steps from `first_step` up to, not including, `last_step`."""
        steps = tf.data.Dataset.range(first_step, last_step)
        batches = steps.map(self.batch, num_parallel_calls=2, deterministic=True)
        return batches.prefetch(4).with_options(_options())


def evaluation_batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    data: Data,
    normalization: Normalization,
    batch_size: int = 500,
) -> tf.data.Dataset:
    """All images, once, in their order, centre-cropped; the last batch may be smaller."""
    margin = (images.shape[1] - data.crop) // 2
    if margin > 0:
        images = images[:, margin:-margin, margin:-margin]

    def normalise(pixels: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return (tf.cast(pixels, tf.float32) - normalization.mean) * normalization.factor, label

    pairs = tf.data.Dataset.from_tensor_slices((images, labels.astype(np.int32)))
    return pairs.batch(batch_size).map(normalise).prefetch(2).with_options(_options())


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # Autotuning holds up the end of each pass for seconds on few cores.
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 2
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options

"""Batches as a pure function of (seed, step): order, crops and flips through stateless operations.

Nothing is remembered between batches, so a run that resumes at any step sees what it would have
seen. Augmentation is per image and vectorised: one gather takes a whole batch, crops and flips
included, out of the padded uint8 images.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.keras_cv_layers import keras_cv_layers
from cifar_keras.data.normalise import Normalization, centre, contrast_terms_of_set, normalise
from cifar_keras.data.statistics import pad_images
from cifar_keras.recipe import Data
from cifar_keras.schedules import steps_per_epoch

# Each kind of draw has a stream of its own under the run's seed.
_ORDER, _CROP, _FLIP, _CUTOUT, _KERAS_CV = range(5)

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


def bounds(size: tf.Tensor, replica: int, replicas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Where a replica's share of a batch of `size` images begins and ends; sizes differ by 1."""
    begin, end = size * replica // replicas, size * (replica + 1) // replicas
    # Through a placeholder shares have no static size: the first's would be demanded of the others.
    return tf.raw_ops.PlaceholderWithDefault(input=begin, shape=[]), end


class TrainingBatches:
    """The batches of a run: float32 (B, crop, crop, 3) images and int32 (B,) labels.

    Behind keras-cv's MixUp or CutMix labels are float32 (B, classes).

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
        self._originals, self._normalization = (images, labels), normalization
        self.steps_per_epoch = steps_per_epoch(data, self.count)
        self._pixels = tf.constant(padded.reshape(-1, 3))
        self._labels = tf.constant(labels.astype(np.int32))
        self._mean = tf.constant(normalization.mean)
        self._factor = tf.constant(normalization.factor)
        if normalization.uncropped:
            side = [(data.pad, data.pad)] * 2
            self._mean = tf.constant(np.pad(normalization.mean, [*side, (0, 0)]).reshape(-1, 3))
        self._contrast = None
        if normalization.contrast:
            terms = contrast_terms_of_set(images, normalization.contrast)
            self._contrast = tuple(tf.constant(term[:, None, None, None]) for term in terms)
        self._keras_cv = keras_cv_layers(data, int(labels.max()) + 1)
        # Of the flips that alternate: which images are mirrored in the first pass.
        self._coins = self._draw((self.count,), _FLIP, tf.constant(0, tf.int64), 2)

    def batch(self, step: tf.Tensor, replica: int = 0, replicas: int = 1) -> tuple[tf.Tensor, ...]:
        """The batch of a step (int64, counted from the start of the run), or a replica's share.

        Behind images and labels of a share stand, as int32 (2,), how many images of the batch lie
        before it, and how many the batch has.
        """
        chosen, passes = self._chosen(step)
        size = tf.shape(chosen)[0]
        begin, end = bounds(size, replica, replicas)
        # keras-cv's layers mix the images of a batch: it is parted behind them.
        part = slice(begin, end) if replicas > 1 else slice(None)
        early, late = (slice(None), part) if self._keras_cv else (part, slice(None))
        rows, columns, flips = (each[early] for each in self._window(step, chosen, passes))
        chosen = chosen[early]
        within = rows[:, :, None] * self.size + columns[:, None, :]
        first = tf.cast(chosen, tf.int32) * self.size**2
        pixels = tf.cast(tf.gather(self._pixels, first[:, None, None] + within), tf.float32)
        labels = tf.gather(self._labels, chosen)
        if self._keras_cv is not None:
            pixels, labels = self._keras_cv(pixels, labels, _stream(self.seed, _KERAS_CV, step))
        images = self._normalized(pixels, chosen, within, flips)
        if self.data.padding == "zeros":
            inside = self._inside(rows)[:, :, None] & self._inside(columns)[:, None, :]
            images = tf.where(inside[..., None], images, 0.0)
        if self.data.cutout:
            images = tf.where(self._hole(step, size)[early], 0.0, images)
        if replicas > 1:
            return images[late], labels[late], tf.stack([begin, size])
        if self.data.last_batch != "keep":
            images.set_shape((self.data.batch_size, self.data.crop, self.data.crop, 3))
        return images, labels

    def _draw(self, shape: Any, kind: int, step: tf.Tensor, below: int) -> tf.Tensor:
        """Whole numbers from 0 up to, not including, `below`."""
        stream = _stream(self.seed, kind, step)
        return tf.random.stateless_uniform(shape, stream, 0, below, tf.int32, alg="philox")

    def _chosen(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The images of the batch, and the passes over the set that they belong to."""
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
        return permuted(positions, passes, self.seed, self.count, span), passes

    def _window(
        self, step: tf.Tensor, chosen: tf.Tensor, passes: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Rows and columns (B, crop) of the padded images to read, and flips (B,) as booleans."""
        crop, freedom = self.data.crop, self.size - self.data.crop + 1
        size = tf.shape(chosen)[0]
        corners = self._draw((size, 2), _CROP, step, freedom)
        if self.data.flip == "random":
            coins = self._draw((size,), _FLIP, step, 2)
        elif self.data.flip == "alternating":
            coins = (tf.gather(self._coins, chosen) + tf.cast(passes, tf.int32)) % 2
        else:
            coins = tf.zeros((size,), tf.int32)
        flips = tf.cast(coins, tf.bool)
        forth = tf.range(crop)
        across = tf.where(flips[:, None], crop - 1 - forth, forth)
        return corners[:, :1] + forth, corners[:, 1:] + across, flips

    def _normalized(
        self, pixels: tf.Tensor, chosen: tf.Tensor, within: tf.Tensor, flips: tf.Tensor
    ) -> tf.Tensor:
        if self._contrast is not None:
            pixels = normalise(pixels, *(tf.gather(term, chosen) for term in self._contrast))
        if self._normalization.uncropped:
            mean = tf.gather(self._mean, within)
        elif self._mean.shape.rank == 1:
            mean = self._mean
        else:
            # The mean image is subtracted before the flip: a mirrored image needs it mirrored.
            both = tf.stack([self._mean, self._mean[:, ::-1]])
            mean = tf.gather(both, tf.cast(flips, tf.int32))
        return normalise(pixels, mean, self._factor)

    def _hole(self, step: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Where the random squares lie, (B, crop, crop, 1), each wholly inside its image."""
        crop, side = self.data.crop, self.data.cutout
        corners = self._draw((size, 2), _CUTOUT, step, crop - side + 1)[..., None]
        inside = (tf.range(crop) >= corners) & (tf.range(crop) < corners + side)
        return (inside[:, 0, :, None] & inside[:, 1, None, :])[..., None]

    def _inside(self, coordinates: tf.Tensor) -> tf.Tensor:
        return (coordinates >= self.data.pad) & (coordinates < self.size - self.data.pad)

    def plain(self, count: int) -> NDArray[np.float32]:
        """The first `count` training images, normalised as tests are: centred, not augmented."""
        images, labels = self._originals
        batches = evaluation_batches(images[:count], labels[:count], self.data, self._normalization)
        return np.concatenate([batch for batch, _ in batches.as_numpy_iterator()])

    def dataset(
        self, first_step: int, last_step: int, replica: int = 0, replicas: int = 1
    ) -> tf.data.Dataset:
        """The batches, or a replica's shares, of the steps from `first_step` to `last_step` - 1."""

        # AutoGraph would read through all this code for control flow, for a second.
        @tf.autograph.experimental.do_not_convert
        def batch(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return self.batch(step, replica, replicas)

        steps = tf.data.Dataset.range(first_step, last_step)
        batches = steps.map(batch, num_parallel_calls=2, deterministic=True)
        return batches.prefetch(4).with_options(_options())


def evaluation_batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    data: Data,
    normalization: Normalization,
    batch_size: int = 500,
) -> tf.data.Dataset:
    """All images, once, in their order, centre-cropped; the last batch may be smaller."""
    norm = normalization.centred(data.crop)
    terms = contrast_terms_of_set(images, norm.contrast) if norm.contrast else ()

    @tf.autograph.experimental.do_not_convert
    def normalised(
        pixels: tf.Tensor, label: tf.Tensor, *terms: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cast(pixels, tf.float32)
        if terms:
            pixels = normalise(pixels, *(term[:, None, None, None] for term in terms))
        return normalise(pixels, norm.mean, norm.factor), label

    parts = (centre(images, data.crop), labels.astype(np.int32), *terms)
    dataset = tf.data.Dataset.from_tensor_slices(parts)
    return dataset.batch(batch_size).map(normalised).prefetch(2).with_options(_options())


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # Autotuning holds up the end of each pass for seconds on few cores.
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 2
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options

"""Batches as a pure function of (seed, step), by stateless random operations.

There is no state between batches, so a run can resume at any step and gets the same batches as
without the interruption. How a batch is made is in `order`, `augment.crop_and_flip` and
`augment.transforms`.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.augment import Batch, transforms
from cifar_keras.data.augment.crop_and_flip import CropAndFlip
from cifar_keras.data.normalize import Normalization, contrast_terms_of_set
from cifar_keras.data.order import indices_of
from cifar_keras.pixels import center, normalize
from cifar_keras.recipe import Data
from cifar_keras.schedules import steps_per_epoch

WHOLE = slice(None)


def bounds(size: tf.Tensor, replica: int, replicas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where a replica's shard of a batch begins and ends; sizes differ by at most 1."""
    begin, end = size * replica // replicas, size * (replica + 1) // replicas
    # The placeholder hides the static size of the first shard, which the others may not have.
    return tf.raw_ops.PlaceholderWithDefault(input=begin, shape=[]), end


class TrainingBatches:
    """The batches of a run: float32 (B, crop, crop, 3) images and int32 (B,) labels.

    After MixUp or CutMix the labels are float32 (B, classes).

    Args:
        images: uint8 (N, 32, 32, 3).
        labels: integers (N,).
        data: the recipe's data section.
        normalization: the numbers for these images.
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
        self.count, self.data, self.seed = len(images), data, seed
        self.steps_per_epoch = steps_per_epoch(data, self.count)
        self._originals, self._normalization = (images, labels), normalization
        self._crop_and_flip = CropAndFlip(images, labels, data, seed)
        self._transforms = transforms(data, images, normalization)
        self._mixes = any(each.transform.mixes for each in self._transforms)

    def batch(self, step: tf.Tensor, replica: int = 0, replicas: int = 1) -> tuple[tf.Tensor, ...]:
        """Return the images and labels of a step's batch, or of a replica's shard of it.

        A shard comes with a third tensor, int32 (2,): how many images of the batch are before the
        shard, and how many the batch has.

        Args:
            step: int64 scalar, counted from the start of the run.
            replica: the number of the replica, from 0.
            replicas: how many there are.
        """
        indices, epochs = indices_of(step, self.data, self.seed, self.count)
        size = tf.shape(indices)[0]
        begin, end = bounds(size, replica, replicas)
        shard = slice(begin, end) if replicas > 1 else WHOLE
        early, late = (WHOLE, shard) if self._mixes else (shard, WHOLE)
        batch = self.augmented(indices, epochs, step, early)
        if replicas > 1:
            return batch.images[late], batch.labels[late], tf.stack([begin, size])
        if self.data.last_batch != "keep":
            batch.images.set_shape((self.data.batch_size, self.data.crop, self.data.crop, 3))
        return batch.images, batch.labels

    def augmented(
        self, indices: tf.Tensor, epochs: tf.Tensor, step: tf.Tensor, shard: slice = WHOLE
    ) -> Batch:
        """Return the shard of a step's batch of these images, augmented and normalized."""
        batch = self._crop_and_flip(indices, epochs, step, shard)
        for transform in self._transforms:
            batch = transform(batch, self.seed, step)
        return batch

    def plain(self, count: int) -> NDArray[np.float32]:
        """Return the first `count` training images as in evaluation: center crops, normalized."""
        images, labels = self._originals
        batches = evaluation_batches(images[:count], labels[:count], self.data, self._normalization)
        return np.concatenate([batch for batch, _ in batches.as_numpy_iterator()])

    def dataset(
        self, first_step: int, last_step: int, replica: int = 0, replicas: int = 1
    ) -> tf.data.Dataset:
        """Return the batches, or a replica's shards, of steps `first_step` to `last_step` - 1."""

        # AutoGraph would take a second to search this code for control flow.
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
    """Return batches of all images in order, as center crops; the last one may be smaller."""
    norm = normalization.centered(data.crop)
    terms = contrast_terms_of_set(images, norm.contrast) if norm.contrast else ()

    @tf.autograph.experimental.do_not_convert
    def normalized(
        pixels: tf.Tensor, label: tf.Tensor, *terms: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cast(pixels, tf.float32)
        if terms:
            pixels = normalize(pixels, *(term[:, None, None, None] for term in terms))
        return normalize(pixels, norm.mean, norm.factor), label

    parts = (center(images, data.crop), labels.astype(np.int32), *terms)
    dataset = tf.data.Dataset.from_tensor_slices(parts)
    return dataset.batch(batch_size).map(normalized).prefetch(2).with_options(_options())


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # On few cores, autotuning delays the end of each epoch by seconds.
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 2
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options

"""The images in the batch of a step."""

import tensorflow as tf

from cifar_keras.data.streams import Stream, stream_key
from cifar_keras.recipe import Data
from cifar_keras.schedules import steps_per_epoch

# RandomIndexShuffle is a block cipher. With its default of 4 rounds, neighbors stay correlated, and
# with consecutive keys even positions are not uniform. With keys hashed by Philox and 16 rounds it
# passes chi-square tests on positions, differences and pairs.
_ROUNDS = 16


def permuted(
    positions: tf.Tensor, epochs: tf.Tensor, seed: int, count: int, span: int = 1
) -> tf.Tensor:
    """Return the images at given positions of given epochs; each epoch is a permutation.

    Args:
        positions: int64 (B,).
        epochs: int64 (B,).
        seed: the run's seed.
        count: how many training images there are.
        span: how many consecutive epochs, from `epochs[0]` on, the batch may contain.

    Returns:
        Indices of images, int64 (B,).
    """

    def key(epoch: tf.Tensor) -> tf.Tensor:
        stream = stream_key(seed, Stream.ORDER, epoch)
        return tf.random.stateless_uniform([3], stream, None, None, tf.int64, alg="philox")

    first = epochs[0]
    keys = tf.stack([key(first + later) for later in range(span)])
    return tf.raw_ops.RandomIndexShuffle(
        index=positions,
        seed=tf.gather(keys, epochs - first),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=_ROUNDS,
    )


def indices_of(step: tf.Tensor, data: Data, seed: int, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the images of a step's batch, and the epoch of each; both int64 (B,).

    Args:
        step: int64 scalar, counted from the start of the run.
        data: the recipe's data section.
        seed: the run's seed.
        count: how many training images there are.
    """
    size = data.batch_size
    if data.last_batch == "carry":
        positions = step * size + tf.range(size, dtype=tf.int64)
        epochs, positions = positions // count, positions % count
        return permuted(positions, epochs, seed, count, span=size // count + 2), epochs
    per_epoch = steps_per_epoch(data, count)
    start = step % per_epoch * size
    positions = tf.range(start, tf.minimum(start + size, count), dtype=tf.int64)
    epochs = tf.fill(tf.shape(positions), step // per_epoch)
    return permuted(positions, epochs, seed, count), epochs

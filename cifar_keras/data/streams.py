"""Random streams: the random numbers of a step are a pure function of the seed and the step."""

from enum import IntEnum
from typing import Any

import tensorflow as tf


class Stream(IntEnum):
    """The streams. Changing one's number changes the results of every run that uses it."""

    ORDER = 0
    CROP = 1
    FLIP = 2
    CUTOUT = 3
    KERAS_CV = 4


def stream_key(seed: int, stream: Stream, index: tf.Tensor) -> tf.Tensor:
    """Return the key, int64 (2,), of a stream at an int64 index: a step, or an epoch."""
    key = tf.constant([seed, int(stream)], tf.int64)
    return tf.random.experimental.stateless_fold_in(key, index)


def fold(key: tf.Tensor, index: int | tf.Tensor) -> tf.Tensor:
    """Return a different key, int64 (2,), for each index under a key."""
    return tf.random.experimental.stateless_fold_in(key, tf.cast(index, tf.int64))


def uniform(
    shape: Any, key: tf.Tensor, low: Any = 0, high: Any = 1, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """Return uniform numbers in [low, high)."""
    return tf.random.stateless_uniform(shape, key, low, high, dtype, alg="philox")

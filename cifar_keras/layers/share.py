"""Which part of the global batch a replica has, and draws that do not depend on the parting."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

# What one advance of the counter of Philox gives: numbers of 64 bits, and of 32 bits or fewer.
_OF_64_BITS, _OF_32_BITS = 2, 4
_PHILOX = 1


@dataclass(frozen=True)
class Share:
    """The images from `begin` on, of the `total` that all replicas have; int32 scalars."""

    begin: tf.Tensor
    total: tf.Tensor


# Each replica of a `MirroredStrategy` is traced in a thread of its own.
_current = threading.local()


@contextmanager
def share(begin: tf.Tensor, total: tf.Tensor) -> Iterator[None]:
    """Within, layers know that the batch they see is this share of a larger one."""
    before = current_share()
    _current.share = Share(begin, total)
    try:
        yield
    finally:
        _current.share = before


def current_share() -> Share | None:
    """The share that the replica has at present; None for a whole batch."""
    return getattr(_current, "share", None)


def uniform(
    shape: Sequence[Any],
    generator: keras.random.SeedGenerator,
    dtype: str,
    lower: float = 0.0,
    upper: float = 1.0,
) -> tf.Tensor:
    """Numbers from U(lower, upper), of `shape` (batch, ...), by the generator's next seed.

    They are Keras'. A share of a batch gets what one device would have drawn for its images, by an
    advance of the counter of Philox. Under a strategy that tells no shares the replica's number is
    folded into the seed, as otherwise all replicas would draw the same (keras#20612).
    """
    seed = generator.next()
    part = current_share()
    if part is not None:
        return _uniform_of(part, shape, seed, dtype, lower, upper)
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
    least, most = tf.constant(lower, dtype), tf.constant(upper, dtype)
    return tf.random.stateless_uniform(shape, _as_int32(seed), least, most, dtype)


def _uniform_of(
    part: Share, shape: Sequence[Any], seed: tf.Tensor, dtype: str, lower: float, upper: float
) -> tf.Tensor:
    dimensions = [tf.cast(dimension, tf.int64) for dimension in shape]
    image = math.prod(dimensions[1:], start=tf.constant(1, tf.int64))
    at_once = _OF_64_BITS if dtype == "float64" else _OF_32_BITS
    first = tf.cast(part.begin, tf.int64) * image
    advance, surplus = first // at_once, first % at_once
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=_as_int32(seed))
    drawn = tf.raw_ops.StatelessRandomUniformV2(
        shape=[dimensions[0] * image + surplus],
        key=key,
        counter=_advanced(counter, advance),
        alg=_PHILOX,
        dtype=dtype,
    )
    least, most = tf.constant(lower, dtype), tf.constant(upper, dtype)
    return tf.reshape(drawn[surplus:], tf.stack(dimensions)) * (most - least) + least


def _as_int32(seed: tf.Tensor) -> tf.Tensor:
    # As Keras does before it draws.
    if seed.dtype == tf.int32:
        return seed
    return tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)


def _advanced(counter: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """The counter, two uint64 of which the first is the lower, so many steps on."""
    low = counter[0] + tf.cast(by, tf.uint64)
    carry = tf.cast(low < counter[0], tf.uint64)
    return tf.stack([low, counter[1] + carry])

"""The shard of the global batch that a replica has, and random numbers that do not depend on it."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

# Philox gives four 32-bit words, or eight uint16 numbers, per step of its counter.
_AT_ONCE = 8
_PHILOX = 1


@dataclass(frozen=True)
class Share:
    """A shard: the images from `begin` on, of the `total` of all replicas; int32 scalars."""

    begin: tf.Tensor
    total: tf.Tensor


# Each replica of a `MirroredStrategy` is traced in a thread of its own.
_current = threading.local()


@contextmanager
def share(begin: tf.Tensor, total: tf.Tensor) -> Iterator[None]:
    """Tell the layers called in this context that their batch is this shard of a larger one."""
    before = current_share()
    _current.share = Share(begin, total)
    try:
        yield
    finally:
        _current.share = before


def current_share() -> Share | None:
    """Return the shard that the replica is processing; None for a whole batch."""
    return getattr(_current, "share", None)


def uniform_bits(shape: Sequence[Any], generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Return uniform uint16 numbers of `shape` (batch, ...), from the generator's next seed.

    A 32-bit word holds two of them, so they cost half as much as floats. Their resolution does not
    depend on the floating-point type, while TensorFlow's uniform bfloat16 numbers have 128 levels.

    A shard gets what a single device would draw for the same images: Philox's counter is advanced
    to its first image. If the strategy does not set a shard, the replica's number is folded into
    the seed; otherwise all replicas would draw the same numbers (keras#20612).
    """
    seed, part, context = generator.next(), current_share(), tf.distribute.get_replica_context()
    if part is None and context is not None and context.num_replicas_in_sync > 1:
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
    dimensions = [tf.cast(dimension, tf.int64) for dimension in shape]
    image = math.prod(dimensions[1:], start=tf.constant(1, tf.int64))
    first = tf.cast(part.begin, tf.int64) * image if part else tf.constant(0, tf.int64)
    advance, surplus = first // _AT_ONCE, first % _AT_ONCE
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=_as_int32(seed))
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[(dimensions[0] * image + surplus + 1) // 2],
        key=key,
        counter=_advanced(counter, advance),
        alg=_PHILOX,
        dtype=tf.uint32,
    )
    halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])
    return tf.reshape(halves[surplus : surplus + dimensions[0] * image], tf.stack(dimensions))


def _as_int32(seed: tf.Tensor) -> tf.Tensor:
    # Keras does the same before it draws.
    if seed.dtype == tf.int32:
        return seed
    return tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)


def _advanced(counter: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """Return the counter advanced by so many steps; it is two uint64, the lower one first."""
    low = counter[0] + tf.cast(by, tf.uint64)
    carry = tf.cast(low < counter[0], tf.uint64)
    return tf.stack([low, counter[1] + carry])

"""Which part of the global batch a replica has, and draws that do not depend on the parting."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

# What one advance of Philox's counter gives: four words of 32 bits.
_AT_ONCE = 8
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


def uniform_bits(shape: Sequence[Any], generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Return uniform uint16 numbers of `shape` (batch, ...), by the generator's next seed.

    A word of Philox holds two, so they cost half of what floats do, and they are as fine in any
    floating-point type: TensorFlow's uniform bfloat16 numbers have 128 levels. A share of a batch
    gets what one device would have drawn for its images, by an advance of Philox's counter. Under
    a strategy that tells no shares the replica's number is folded into the seed, as otherwise all
    replicas would draw the same (keras#20612).
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
    # As Keras does before it draws.
    if seed.dtype == tf.int32:
        return seed
    return tf.cast(tf.math.floormod(seed, tf.int32.max - 1), tf.int32)


def _advanced(counter: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """The counter, two uint64 of which the first is the lower, so many steps on."""
    low = counter[0] + tf.cast(by, tf.uint64)
    carry = tf.cast(low < counter[0], tf.uint64)
    return tf.stack([low, counter[1] + carry])

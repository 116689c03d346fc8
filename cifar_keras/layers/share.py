"""Which part of the global batch a replica has, and draws that do not depend on the parting."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

# What one advance of the counter of Philox gives: numbers of 64 bits, of 32 (which TensorFlow also
# takes for floats of 16), and of 16 bits.
_OF_64_BITS, _OF_32_BITS, _OF_16_BITS = 2, 4, 8
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
    seed, part = _seed_of_replica(generator), current_share()
    least, most = tf.constant(lower, dtype), tf.constant(upper, dtype)
    if part is None:
        return tf.random.stateless_uniform(shape, seed, least, most, dtype)
    dimensions = [tf.cast(dimension, tf.int64) for dimension in shape]
    at_once = _OF_64_BITS if dtype == "float64" else _OF_32_BITS
    counter, surplus = _place(part, seed, dimensions, at_once)
    drawn = tf.raw_ops.StatelessRandomUniformV2(
        shape=[dimensions[0] * _elements(dimensions) + surplus],
        alg=_PHILOX,
        dtype=dtype,
        **counter,
    )
    return tf.reshape(drawn[surplus:], tf.stack(dimensions)) * (most - least) + least


def uniform_bits(shape: Sequence[Any], generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Return uniform uint16 numbers of `shape` (batch, ...), by the generator's next seed.

    A word of Philox holds two of them, so they cost half of what floats do. Of a share of a batch
    they are what one device would have drawn for its images.
    """
    seed, part = _seed_of_replica(generator), current_share()
    dimensions = [tf.cast(dimension, tf.int64) for dimension in shape]
    part = part or Share(tf.constant(0), tf.constant(0))
    counter, surplus = _place(part, seed, dimensions, _OF_16_BITS)
    count = dimensions[0] * _elements(dimensions)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[(count + surplus + 1) // 2], alg=_PHILOX, dtype=tf.uint32, **counter
    )
    halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])
    return tf.reshape(halves[surplus : surplus + count], tf.stack(dimensions))


def _seed_of_replica(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """The next seed; of several replicas that know no shares each has its own (keras#20612)."""
    seed, context = generator.next(), tf.distribute.get_replica_context()
    if current_share() is None and context is not None and context.num_replicas_in_sync > 1:
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        seed = tf.random.experimental.stateless_fold_in(seed, replica)
    return _as_int32(seed)


def _elements(dimensions: Sequence[tf.Tensor]) -> tf.Tensor:
    """How many numbers an image has."""
    return math.prod(dimensions[1:], start=tf.constant(1, tf.int64))


def _place(
    part: Share, seed: tf.Tensor, dimensions: Sequence[tf.Tensor], at_once: int
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Philox's key and counter where the share begins, and the numbers before it to drop."""
    first = tf.cast(part.begin, tf.int64) * _elements(dimensions)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    return {"key": key, "counter": _advanced(counter, first // at_once)}, first % at_once


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

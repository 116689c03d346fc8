"""Dropout whose random numbers do not depend on the number of replicas."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from cifar_keras.layers.fused import fused, widened
from cifar_keras.layers.share import uniform_bits


@cache
def _dropping(rate: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the function of inputs and uniform uint16 numbers that drops a fraction `rate`."""
    least, factor = round(rate * 2**16), 1 / (1 - rate)

    def kept(x: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
        wide = widened(x)
        scaled = tf.where(tf.cast(bits, tf.int32) >= least, wide * factor, tf.zeros([], wide.dtype))
        return tf.cast(scaled, x.dtype)

    keep = fused(kept)

    @tf.custom_gradient
    def dropped(x: tf.Tensor, bits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
        return keep(x, bits), lambda outer: (keep(outer, bits), None)

    return dropped


class _Dropping(keras.layers.Layer):
    """The code of both layers; `_dropped_shape` defines which elements are dropped together."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training and 0 < self.rate < 1):
            return super().call(inputs, training=training)
        shape = self._dropped_shape(keras.ops.shape(inputs))
        return _dropping(self.rate)(inputs, uniform_bits(shape, self.seed_generator))

    def _dropped_shape(self, sizes: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="cifar_keras")
class Dropout(_Dropping, keras.layers.Dropout):
    """Keras' dropout, except that a replica drops what a single device would drop of its shard.

    Keras gives every replica the same noise (keras#20612). In bfloat16 its rates are multiples of
    1/128: a rate of 0.3 drops 30.5 %. Here each element gets 16 random bits, whatever its type.

    Reference:
        Srivastava et al., JMLR 15 (2014).
    """

    def _dropped_shape(self, sizes: Sequence[Any]) -> Sequence[Any]:
        given = self.noise_shape or [None] * len(sizes)
        return [size if each is None else each for size, each in zip(sizes, given, strict=True)]


@keras.saving.register_keras_serializable(package="cifar_keras")
class SpatialDropout2D(_Dropping, keras.layers.SpatialDropout2D):
    """Keras' dropout of whole channels, with the random numbers of `Dropout`.

    Reference:
        Tompson et al., arXiv 1411.4280.
    """

    def _dropped_shape(self, sizes: Sequence[Any]) -> Sequence[Any]:
        batch, *_, last = sizes
        if self.data_format == "channels_first":
            return [batch, sizes[1], 1, 1]
        return [batch, 1, 1, last]

"""Convolution that takes fewer products on a CPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import tensorflow as tf
from keras import ops

from cifar_keras.layers.kernel_gradient import add_bias, convolution, takes_products
from cifar_keras.layers.small_maps import by_position
from cifar_keras.layers.winograd import WINDOWS, winograd
from cifar_keras.private import in_xla

_PLAIN = ContextVar("_PLAIN", default=False)
_TRAINING = ContextVar("_TRAINING", default=False)
# With fewer, what minimal filtering saves in products it loses in making them.
_LEAST_CHANNELS = 24
_EXACT = (tf.float32, tf.float64)
# The largest side at which a product for each position beats oneDNN's bfloat16 convolution.
_MOST_POSITIONS = 4


@contextmanager
def plain_convolutions() -> Iterator[None]:
    """Let every `Conv2D` that is traced inside run Keras' own code, padding and all."""
    with _set(_PLAIN, True):
        yield


@contextmanager
def _set(variable: ContextVar[bool], value: bool) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@keras.saving.register_keras_serializable(package="cifar_keras")
class Conv2D(keras.layers.Conv2D):
    """Keras' convolution, faster on a CPU.

    The same function with the same variables, in two cases by other sums, so that rounding differs
    in the last digits:

    - Images no larger than the kernel: of a 3x3 kernel's products with an image of 2x2 more than
      half are with padding, and oneDNN has no good gradient for them. Each weight of the window
      (one row and column of the kernel) is one matrix product with the pixels that it meets.
    - Larger images in training, from 24 channels to as many filters or more: `winograd`. Tests are
      left to Keras, as XLA needs seconds to compile it for each shape of image.

    Elsewhere (other windows, strides, dilation, groups, other paddings and types, GPUs, the second
    case where XLA compiles the whole step) Keras' own code runs.

    Args:
        *args: as of `keras.layers.Conv2D`.
        **kwargs: as of `keras.layers.Conv2D`.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, new height, new width, filters).
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        with _set(_TRAINING, bool(training)):
            way = self._way(inputs)
            if way is None or inputs.dtype != tf.bfloat16 or not self.use_bias:
                return super().call(inputs)
            maps = add_bias(way(inputs, ops.convert_to_tensor(self.kernel)), self.bias)
            return maps if self.activation is None else self.activation(maps)

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        way = self._way(inputs)
        if way is None:
            return super().convolution_op(inputs, kernel)
        return way(inputs, ops.convert_to_tensor(kernel))

    def _way(self, inputs: tf.Tensor) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
        """Return what computes the convolution; None for Keras' own code."""
        if not self._may_differ_from_keras(inputs):
            return None
        sides = list(zip(inputs.shape[1:3], self.kernel_size, strict=True))
        one_pixel = self.kernel_size == (1, 1)
        if not one_pixel and all(side <= window for side, window in sides):
            return by_position
        # XLA cannot compile the loop over parts of which the last is smaller.
        if not _TRAINING.get() or in_xla():
            return None
        if inputs.dtype == tf.bfloat16:
            if not one_pixel and all(side <= _MOST_POSITIONS for side, _ in sides):
                return by_position
            return convolution if takes_products(inputs, self.kernel.shape) else None
        fits = all(window in WINDOWS and side > window for side, window in sides)
        enough = min(inputs.shape[-1], self.filters) >= _LEAST_CHANNELS
        return winograd if fits and enough and inputs.dtype in _EXACT else None

    def _may_differ_from_keras(self, inputs: tf.Tensor) -> bool:
        return (
            isinstance(inputs, tf.Tensor)
            and None not in inputs.shape[1:3]
            and not _PLAIN.get()
            and self.padding == "same"
            and self.strides == (1, 1)
            and self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
            and not tf.config.get_visible_devices("GPU")
        )

"""Convolution that needs fewer multiplications on a CPU."""

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
# With fewer channels, the transforms of Winograd convolution cost more than they save.
_LEAST_CHANNELS = 24
_EXACT = (tf.float32, tf.float64)
# The largest side at which one product per position beats oneDNN's bfloat16 convolution.
_MOST_POSITIONS = 4


@contextmanager
def plain_convolutions() -> Iterator[None]:
    """Make every `Conv2D` that is traced in this context run Keras' own code."""
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

    It computes the same function with the same variables. Two cases use another algorithm, whose
    results differ only by rounding:

    - Images no larger than the kernel. More than half of the products of a 3x3 kernel with a 2x2
      image are with padding, and oneDNN's gradient for them is slow. Here each weight of the
      window (one row and column of the kernel) is one matrix product with the pixels it meets.
    - Larger images in training, with at least 24 channels and 24 filters: Winograd convolution
      (see `winograd`). Evaluation uses Keras' code, because XLA takes seconds to compile Winograd
      convolution for each image shape.

    Keras' own code runs in all other cases: other windows, strides, dilation, groups, other
    paddings and types, and GPUs. It also replaces Winograd convolution where XLA compiles the whole
    step.

    Args:
        *args: see `keras.layers.Conv2D`.
        **kwargs: see `keras.layers.Conv2D`.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, new height, new width, filters).
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        with _set(_TRAINING, bool(training)):
            convolve = self._algorithm(inputs)
            if convolve is None or inputs.dtype != tf.bfloat16 or not self.use_bias:
                return super().call(inputs)
            maps = add_bias(convolve(inputs, ops.convert_to_tensor(self.kernel)), self.bias)
            return maps if self.activation is None else self.activation(maps)

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        convolve = self._algorithm(inputs)
        if convolve is None:
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, ops.convert_to_tensor(kernel))

    def _algorithm(self, inputs: tf.Tensor) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
        """Return the function that computes the convolution; None for Keras' own code."""
        if not self._may_differ_from_keras(inputs):
            return None
        sides = list(zip(inputs.shape[1:3], self.kernel_size, strict=True))
        one_pixel = self.kernel_size == (1, 1)
        if not one_pixel and all(side <= window for side, window in sides):
            return by_position
        # XLA cannot compile the loop over parts of the batch, as the last part may be smaller.
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

"""Convolution that takes fewer products on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util

from cifar_keras.layers.winograd import WINDOWS, winograd

_PLAIN = ContextVar("_PLAIN", default=False)
_TRAINING = ContextVar("_TRAINING", default=False)
# With fewer, what minimal filtering saves in products it loses in making them.
_LEAST_CHANNELS = 24


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
            return super().call(inputs)

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        if not self._can_take_fewer_products(inputs):
            return super().convolution_op(inputs, kernel)
        sides = list(zip(inputs.shape[1:3], self.kernel_size, strict=True))
        if all(side <= window for side, window in sides):
            return _by_window(inputs, ops.convert_to_tensor(kernel))
        if (
            _TRAINING.get()
            and all(window in WINDOWS and side > window for side, window in sides)
            and min(inputs.shape[-1], self.filters) >= _LEAST_CHANNELS
            and inputs.dtype in (tf.float32, tf.float64)
            and not _for_xla()
        ):
            return winograd(inputs, ops.convert_to_tensor(kernel))
        return super().convolution_op(inputs, kernel)

    def _can_take_fewer_products(self, inputs: tf.Tensor) -> bool:
        return (
            isinstance(inputs, tf.Tensor)
            and None not in inputs.shape[1:3]
            and not _PLAIN.get()
            and self.kernel_size != (1, 1)
            and self.padding == "same"
            and self.strides == (1, 1)
            and self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
            and not tf.config.get_visible_devices("GPU")
        )


def _for_xla() -> bool:
    """Whether XLA compiles what is traced: not the loop over parts of which the last is smaller."""
    # TensorFlow has no public way to ask.
    graph = tf.compat.v1.get_default_graph()
    found: bool = control_flow_util.GraphOrParentsInXlaContext(graph)
    return found


class _Span(NamedTuple):
    """Where along one side a weight of the window meets the image."""

    place: int
    begin_in: int
    begin_out: int
    length: int


def _spans(side: int, window: int) -> Iterator[_Span]:
    before = (window - 1) // 2
    for place in range(window):
        shift = place - before
        length = side - abs(shift)
        if length > 0:
            yield _Span(place, max(shift, 0), max(-shift, 0), length)


def _by_window(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    height, width, channels = images.shape[1:]
    filters = kernel.shape[-1]
    # Unstacked, so that the gradient of all is one stack and not a sum of padded arrays.
    weights = tf.unstack(tf.reshape(kernel, (-1, channels, filters)))
    parts = []
    for row in _spans(height, kernel.shape[0]):
        for column in _spans(width, kernel.shape[1]):
            met = images[
                :,
                row.begin_in : row.begin_in + row.length,
                column.begin_in : column.begin_in + column.length,
            ]
            weight = weights[row.place * kernel.shape[1] + column.place]
            part = tf.matmul(tf.reshape(met, (-1, channels)), weight)
            part = tf.reshape(part, (-1, row.length, column.length, filters))
            margins = [
                (row.begin_out, height - row.begin_out - row.length),
                (column.begin_out, width - column.begin_out - column.length),
            ]
            parts.append(tf.pad(part, [(0, 0), *margins, (0, 0)]))
    return tf.add_n(parts)

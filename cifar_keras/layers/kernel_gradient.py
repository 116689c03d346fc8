"""The gradient of a convolution's kernel as matrix products, for bfloat16."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# oneDNN sums a kernel's gradient row by row of the images: a short row leaves most of the
# processor's bfloat16 tiles empty. Products sum over the whole batch at once.
_LONGEST_ROW = 9
_LEAST_CHANNELS = 96


def takes_products(images: tf.Tensor, kernel: tuple[int, ...]) -> bool:
    """Return whether products are faster than oneDNN's own gradient.

    As measured with AMX (docs/precision.md): always for a kernel of one pixel, and for larger ones
    on small images of many channels.
    """
    rows, columns, channels, filters = kernel
    if rows == columns == 1:
        return True
    return max(images.shape[1:3]) <= _LONGEST_ROW and min(channels, filters) >= _LEAST_CHANNELS


def convolution(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return `tf.nn.conv2d` with "same" padding; the kernel's gradient by products.

    Args:
        images: (batch, height, width, channels); height and width are known.
        kernel: (rows, columns, channels, filters).

    Returns:
        (batch, height, width, filters).
    """
    options: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}

    @tf.custom_gradient
    def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            inner = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images), filter=kernel, out_backprop=outer, **options
            )
            return inner, kernel_gradient(images, outer, kernel.shape)

        return tf.nn.conv2d(images, kernel, **options), gradients

    return convolved(tf.convert_to_tensor(images), tf.convert_to_tensor(kernel))


def kernel_gradient(images: tf.Tensor, outer: tf.Tensor, kernel: tf.TensorShape) -> tf.Tensor:
    """Return the gradient (rows, columns, channels, filters) of a "same" convolution's kernel.

    Images and maps are padded alike and written as one long list of pixels. Then the pixels that
    meet the maps through a tap are the list from some place on, with no copy made, and the tap's
    gradient is one product. One column and one row of zeros serve two neighbours.

    Args:
        images: (batch, height, width, channels).
        outer: (batch, height, width, filters), the gradient of the maps.
        kernel: the kernel's shape.
    """
    rows, columns, channels, filters = kernel
    width = images.shape[2]
    above, left = (rows - 1) // 2, (columns - 1) // 2
    below, right = rows - 1 - above, columns - 1 - left
    # The later side of an even window is the longer one.
    padding = [(0, 0), (0, below), (0, right), (0, 0)]
    stride = width + right
    pixels = tf.reshape(tf.pad(images, padding), (-1, channels))
    maps = tf.reshape(tf.pad(outer, padding), (-1, filters))
    pixels = tf.pad(pixels, [(above * stride + left, below * stride + right), (0, 0)])
    count = tf.shape(maps)[0]
    taps = []
    for row in range(rows):
        for column in range(columns):
            first = row * stride + column
            taps.append(tf.matmul(pixels[first : first + count], maps, transpose_a=True))
    return tf.reshape(tf.stack(taps), kernel)


def add_bias(maps: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Return the maps plus a bias for each filter, whose gradient is summed in float32.

    `BiasAddGrad` sums bfloat16 numbers in bfloat16, which over thousands of pixels loses most of
    their digits; a product with ones does not.
    """

    @tf.custom_gradient
    def added(maps: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            pixels = tf.reshape(outer, (-1, outer.shape[-1]))
            ones = tf.ones((1, tf.shape(pixels)[0]), pixels.dtype)
            return outer, tf.matmul(ones, pixels)[0]

        return tf.nn.bias_add(maps, bias), gradients

    return added(tf.convert_to_tensor(maps), tf.convert_to_tensor(bias))

"""The gradient of a convolution's kernel as matrix products, for bfloat16."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# oneDNN sums a kernel's gradient image row by image row, and short rows leave most of the
# processor's bfloat16 tiles empty. A matrix product sums over the whole batch at once.
_LONGEST_ROW = 9
_LEAST_CHANNELS = 96


def takes_products(images: tf.Tensor, kernel: tuple[int, ...]) -> bool:
    """Return whether matrix products are faster than oneDNN's own gradient.

    With AMX they are for 1x1 kernels, and for larger kernels on small images with many channels.
    docs/precision.md has the measurements.
    """
    rows, columns, channels, filters = kernel
    if rows == columns == 1:
        return True
    return max(images.shape[1:3]) <= _LONGEST_ROW and min(channels, filters) >= _LEAST_CHANNELS


def convolution(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return `tf.nn.conv2d` with "same" padding; the kernel's gradient is by matrix products.

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

    Images and maps get the same padding and are flattened into lists of pixels. The pixels that a
    tap (one row and column of the kernel) multiplies are then a slice of the list, which needs no
    copy, and the tap's gradient is one matrix product. Neighboring rows share a column of zeros,
    and neighboring images share a row.

    Args:
        images: (batch, height, width, channels).
        outer: (batch, height, width, filters), the gradient of the maps.
        kernel: the kernel's shape.
    """
    rows, columns, channels, filters = kernel
    width = images.shape[2]
    above, left = (rows - 1) // 2, (columns - 1) // 2
    below, right = rows - 1 - above, columns - 1 - left
    # An even window reaches one pixel further below and to the right.
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
    """Return the maps plus a bias per filter. The gradient of the bias is summed in float32.

    `BiasAddGrad` sums bfloat16 numbers in bfloat16, which loses most of their digits over thousands
    of pixels. A matrix product with ones does not.
    """

    @tf.custom_gradient
    def added(maps: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            pixels = tf.reshape(outer, (-1, outer.shape[-1]))
            ones = tf.ones((1, tf.shape(pixels)[0]), pixels.dtype)
            return outer, tf.matmul(ones, pixels)[0]

        return tf.nn.bias_add(maps, bias), gradients

    return added(tf.convert_to_tensor(maps), tf.convert_to_tensor(bias))

"""Convolution of images about as small as the kernel, one matrix product per position."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class _Reach(NamedTuple):
    """Along one side: the pixels under the window, and the taps of the kernel on them."""

    pixels: slice
    taps: slice


def _reaches(side: int, window: int, before: int) -> list[_Reach]:
    """Return what each pixel of the maps sees. The window reaches `before` pixels back from it."""
    found = []
    for place in range(side):
        first, last = max(place - before, 0), min(place - before + window, side)
        shift = before - place
        found.append(_Reach(slice(first, last), slice(first + shift, last + shift)))
    return found


def by_position(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the maps of a convolution with "same" padding and strides of 1.

    Each pixel of the maps is one matrix product, of the pixels under the window with the taps on
    them. So is each pixel of the images' gradient, and each tap of the kernel's gradient. Nothing
    is multiplied with padding, which would be 20 of 36 products for a 3x3 kernel on a 2x2 image.
    All sums are inside a matrix product, which oneDNN computes in float32 for bfloat16 inputs.

    Args:
        images: (batch, height, width, channels); height and width are known.
        kernel: (rows, columns, channels, filters).

    Returns:
        (batch, height, width, filters).
    """
    images, kernel = tf.convert_to_tensor(images), tf.convert_to_tensor(kernel)
    sides = list(zip(images.shape[1:3], kernel.shape[:2], strict=True))
    seen = [_reaches(side, window, (window - 1) // 2) for side, window in sides]
    # An even window sees one pixel more after its position than before it. A flipped one sees one
    # pixel more before it.
    seen_turned = [_reaches(side, window, window // 2) for side, window in sides]

    @tf.custom_gradient
    def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
            return _maps(outer, turned, *seen_turned), _kernel_gradient(images, outer, kernel)

        return _maps(images, kernel, *seen), gradients

    return convolved(images, kernel)


def _maps(
    images: tf.Tensor, kernel: tf.Tensor, rows: list[_Reach], columns: list[_Reach]
) -> tf.Tensor:
    filters = kernel.shape[-1]
    pixels = []
    for row in rows:
        for column in columns:
            seen = images[:, row.pixels, column.pixels]
            taps = tf.reshape(kernel[row.taps, column.taps], (-1, filters))
            pixels.append(tf.matmul(tf.reshape(seen, (-1, taps.shape[0])), taps))
    return tf.reshape(tf.stack(pixels, axis=1), (-1, len(rows), len(columns), filters))


def _kernel_gradient(images: tf.Tensor, outer: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    rows, columns, channels, filters = kernel.shape
    height, width = images.shape[1:3]
    taps = []
    for row in range(rows):
        above, below = _met(row - (rows - 1) // 2, height)
        for column in range(columns):
            left, right = _met(column - (columns - 1) // 2, width)
            pixels = tf.reshape(images[:, above, left], (-1, channels))
            maps = tf.reshape(outer[:, below, right], (-1, filters))
            taps.append(tf.matmul(pixels, maps, transpose_a=True))
    return tf.reshape(tf.stack(taps), kernel.shape)


def _met(shift: int, side: int) -> tuple[slice, slice]:
    """Return the pixels that a tap `shift` away multiplies, and their positions in the maps."""
    pixel, place, length = max(shift, 0), max(-shift, 0), max(side - abs(shift), 0)
    return slice(pixel, pixel + length), slice(place, place + length)

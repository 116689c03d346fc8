"""Winograd convolution (minimal filtering), which needs fewer multiplications."""

from collections.abc import Callable, Sequence
from functools import cache, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# The points at which the polynomials are evaluated, besides infinity. Of the sets with small
# fractions this one has the smallest rounding error. In float32, more than six products per side
# would lose precision.
_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
_MOST_PRODUCTS = len(_POINTS) + 1
WINDOWS = (2, 3)
# Rows of the matrix products at a time: enough for the processor, few enough for its cache. Their
# inputs and outputs are 36 * 512 * channels numbers for any batch size.
_ROWS = 512


class Matrices(NamedTuple):
    """F(outputs, window): maps @ ((kernel @ weights) * (images @ pixels)) is their correlation.

    It takes outputs + window - 1 products instead of outputs * window.

    Attributes:
        maps: (outputs, products).
        kernel: (products, window).
        images: (products, products).
    """

    maps: NDArray[np.float64]
    kernel: NDArray[np.float64]
    images: NDArray[np.float64]


@cache
def matrices(outputs: int, window: int) -> Matrices:
    """Return the matrices of F(outputs, window), constructed after Toom and Cook.

    Reference:
        Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.
    """
    points = _POINTS[: outputs + window - 2]
    last = np.eye(outputs)[:, -1:], np.eye(window)[-1:], np.poly(points)[np.newaxis, ::-1]
    others = [[point - other for other in points if other != point] for point in points]
    factors = np.array([np.prod(each) for each in others])[:, np.newaxis]
    polynomials = [np.poly([other for other in points if other != point]) for point in points]
    images = np.pad([polynomial[::-1] for polynomial in polynomials], [(0, 0), (0, 1)])
    return Matrices(
        np.hstack([np.vander(points, outputs, increasing=True).T, last[0]]),
        np.vstack([np.vander(points, window, increasing=True) / factors, last[1]]),
        np.vstack([images, last[2]]),
    )


class Side(NamedTuple):
    """One side of an image, cut into tiles of `outputs` pixels for a window with "same" padding."""

    pixels: int
    window: int
    outputs: int

    @property
    def products(self) -> int:
        return self.outputs + self.window - 1

    @property
    def tiles(self) -> int:
        return -(-self.pixels // self.outputs)

    @property
    def margins(self) -> tuple[int, int]:
        before = (self.window - 1) // 2
        return before, self.tiles * self.outputs + self.window - 1 - before - self.pixels


def best_side(pixels: int, window: int) -> Side:
    """Return the tiles with the fewest products; of equals the smallest, which round less."""
    largest = _MOST_PRODUCTS - window + 1
    choices = [Side(pixels, window, outputs) for outputs in range(2, largest + 1)]
    return min(choices, key=lambda side: (side.tiles * side.products, side.outputs))


def winograd(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the maps of a convolution with "same" padding and strides of 1.

    They are those of `tf.nn.conv2d` except for rounding, in float32 about 1e-6 of the maps' size. A
    4x4 tile of a 3x3 kernel's maps takes 36 products instead of 144; each is part of a matrix
    product over all channels. XLA compiles the transforms before and after these products.

    Args:
        images: (batch, height, width, channels), float32 or float64; height and width are known.
        kernel: (2 or 3, 2 or 3, channels, filters).

    Returns:
        (batch, height, width, filters).
    """
    images, kernel = tf.convert_to_tensor(images), tf.convert_to_tensor(kernel)
    height, width, channels = images.shape[1:]
    filters = kernel.shape[-1]
    rows, columns = best_side(height, kernel.shape[0]), best_side(width, kernel.shape[1])
    # One small product transforms both sides of the kernel; two cost several times as much.
    for_rows, for_columns = (matrices(side.outputs, side.window) for side in (rows, columns))
    of_kernel = tf.constant(
        np.einsum("pi,qj->qpij", for_rows.kernel, for_columns.kernel).reshape(
            columns.products * rows.products, rows.window * columns.window
        ),
        kernel.dtype,
    )
    transforms = _transforms(rows, columns)
    at_once = -(-_ROWS // (rows.tiles * columns.tiles))

    @tf.custom_gradient
    def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        weights = tf.matmul(of_kernel, tf.reshape(kernel, (-1, channels * filters)))
        weights = tf.reshape(weights, (-1, channels, filters))
        count = tf.shape(images)[0]
        parts = -(-count // at_once)

        def part_of(array: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
            return array[part * at_once : (part + 1) * at_once]

        def convolve(part: tf.Tensor, maps: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            products = tf.matmul(transforms.images(part_of(images, part)), weights)
            return part + 1, maps.write(part, transforms.maps(products))

        def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            def derive(
                part: tf.Tensor, inner: tf.TensorArray, total: tf.Tensor
            ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor]:
                products = transforms.maps_gradient(part_of(outer, part))
                # Computed again, because keeping them takes more than twice the images' memory.
                entering = transforms.images(part_of(images, part))
                total += tf.matmul(entering, products, transpose_a=True)
                entering = tf.matmul(products, weights, transpose_b=True)
                return part + 1, inner.write(part, transforms.images_gradient(entering)), total

            start = 0, _parts(images.shape, images.dtype, parts), tf.zeros_like(weights)
            _, inner, total = _while_parts(parts, derive, start)
            total = tf.reshape(total, (-1, channels * filters))
            weighed = tf.matmul(of_kernel, total, transpose_a=True)
            return inner.concat(), tf.reshape(weighed, kernel.shape)

        shape = [None, height, width, filters]
        _, maps = _while_parts(parts, convolve, (0, _parts(shape, images.dtype, parts)))
        return tf.ensure_shape(maps.concat(), shape), gradients

    return convolved(images, kernel)


def _parts(shape: Sequence[int | None], dtype: tf.DType, count: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(dtype, count, infer_shape=False, element_shape=[None, *shape[1:]])


def _while_parts(parts: tf.Tensor, body: Callable[..., Any], start: tuple[Any, ...]) -> Any:
    # The parts run one after the other. The order of the sums is then fixed, and only one part is
    # in memory.
    return tf.while_loop(lambda part, *_: part < parts, body, start, parallel_iterations=2)


class _Transforms(NamedTuple):
    """Transforms to and from the products: (products of both sides, rows, channels)."""

    images: Callable[[tf.Tensor], tf.Tensor]
    maps: Callable[[tf.Tensor], tf.Tensor]
    images_gradient: Callable[[tf.Tensor], tf.Tensor]
    maps_gradient: Callable[[tf.Tensor], tf.Tensor]


@cache
def _transforms(rows: Side, columns: Side) -> _Transforms:
    for_rows, for_columns = (matrices(side.outputs, side.window) for side in (rows, columns))

    def images(x: tf.Tensor) -> tf.Tensor:
        channels = x.shape[-1]
        x = tf.pad(x, [(0, 0), rows.margins, columns.margins, (0, 0)])
        x = tf.stack(_combined(for_rows.images, _tiled(x, 1, rows)))
        x = tf.stack(_combined(for_columns.images, _tiled(x, 3, columns)))
        return tf.reshape(x, (columns.products * rows.products, -1, channels))

    def maps(x: tf.Tensor) -> tf.Tensor:
        x = cut(x)
        x = tf.stack(_combined(for_columns.maps, tf.unstack(x)), axis=4)
        x = tf.stack(_combined(for_rows.maps, tf.unstack(x)), axis=2)
        return laid(x)

    def images_gradient(x: tf.Tensor) -> tf.Tensor:
        x = cut(x)
        x = tf.stack(_added(_combined(for_columns.images.T, tf.unstack(x)), 3, columns), axis=4)
        x = tf.stack(_added(_combined(for_rows.images.T, tf.unstack(x)), 1, rows), axis=2)
        return laid(x)

    def cut(x: tf.Tensor) -> tf.Tensor:
        shape = columns.products, rows.products, -1, rows.tiles, columns.tiles, x.shape[-1]
        return tf.reshape(x, shape)

    def laid(x: tf.Tensor) -> tf.Tensor:
        sides = (side.tiles * side.outputs for side in (rows, columns))
        x = tf.reshape(x, (-1, *sides, x.shape[-1]))
        return x[:, : rows.pixels, : columns.pixels]

    def maps_gradient(x: tf.Tensor) -> tf.Tensor:
        filters = x.shape[-1]
        below, right = (side.tiles * side.outputs - side.pixels for side in (rows, columns))
        x = tf.pad(x, [(0, 0), (0, below), (0, right), (0, 0)])
        x = tf.reshape(x, (-1, rows.tiles, rows.outputs, columns.tiles, columns.outputs, filters))
        x = tf.stack(_combined(for_rows.maps.T, tf.unstack(x, axis=2)))
        x = tf.stack(_combined(for_columns.maps.T, tf.unstack(x, axis=4)))
        return tf.reshape(x, (columns.products * rows.products, -1, filters))

    compiled = (
        tf.function(each, autograph=False, jit_compile=True)
        for each in (images, maps, images_gradient, maps_gradient)
    )
    return _Transforms(*compiled)


def _combined(matrix: NDArray[np.float64], parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return the matrix times the column of parts."""
    return [
        reduce(add, [part * factor for factor, part in zip(row, parts, strict=True) if factor])
        for row in matrix.tolist()
    ]


def _tiled(x: tf.Tensor, axis: int, side: Side) -> list[tf.Tensor]:
    """Return all tiles' first pixels along this axis, their second ones, ...; tiles overlap."""
    over = (slice(None),) * axis
    span = (side.tiles - 1) * side.outputs + 1
    return [x[(*over, slice(first, first + span, side.outputs))] for first in range(side.products)]


def _added(parts: Sequence[tf.Tensor], axis: int, side: Side) -> list[tf.Tensor]:
    """Return the adjoint of `_tiled`: each tile's pixels, summed over overlapping tiles."""
    before = side.margins[0]
    pixels = list(parts[before : before + side.outputs])
    for place, part in enumerate(parts[:before], side.outputs - before):
        pixels[place] += _moved(part, axis, -1)
    for place, part in enumerate(parts[before + side.outputs :]):
        pixels[place] += _moved(part, axis, 1)
    return pixels


def _moved(x: tf.Tensor, axis: int, tiles: int) -> tf.Tensor:
    """Move each tile to its neighbor before (-1) or after (1); fill the gap with zeros."""
    over = (slice(None),) * axis
    kept = x[(*over, slice(1, None) if tiles < 0 else slice(-1))]
    margins = [(0, 0)] * len(x.shape)
    margins[axis] = (0, 1) if tiles < 0 else (1, 0)
    return tf.pad(kept, margins)

"""Elementwise functions that XLA makes one pass over memory."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, compiled by XLA where it runs on a CPU.

    TensorFlow reads and writes all elements once for each operation; XLA once for all of them. A
    GPU is left alone: there XLA compiles the whole step.
    """
    compiled = tf.function(function, autograph=False, jit_compile=True)

    def call(*arrays: Any) -> Any:
        return function(*arrays) if tf.config.get_visible_devices("GPU") else compiled(*arrays)

    return call


def with_gradient(
    function: Callable[[tf.Tensor], tf.Tensor],
    derivative: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return an elementwise function that keeps its inputs alone for its gradient.

    Both are computed in float32 where the inputs are shorter, and rounded once.

    Args:
        function: of each element.
        derivative: at each element.
    """
    forward = fused(lambda x: tf.cast(function(widened(x)), x.dtype))
    backward = fused(lambda x, outer: tf.cast(derivative(widened(x)) * widened(outer), x.dtype))

    @tf.custom_gradient
    def apply(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return forward(inputs), lambda outer: backward(inputs, outer)

    return apply


def widened(x: tf.Tensor) -> tf.Tensor:
    """Return the array in float32 where it is shorter."""
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)

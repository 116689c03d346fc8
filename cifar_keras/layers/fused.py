"""Elementwise functions that XLA compiles into one pass over memory."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, compiled by XLA on a CPU.

    TensorFlow reads and writes all elements once per operation, XLA once in total. On a GPU the
    function is returned as it is, because XLA compiles the whole step there.
    """
    compiled = tf.function(function, autograph=False, jit_compile=True)

    def call(*arrays: Any) -> Any:
        return function(*arrays) if tf.config.get_visible_devices("GPU") else compiled(*arrays)

    return call


def with_gradient(
    function: Callable[[tf.Tensor], tf.Tensor],
    derivative: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return an elementwise function that keeps only its inputs for its gradient.

    If the inputs have half precision, function and gradient are computed in float32 and rounded
    once.

    Args:
        function: applied to each element.
        derivative: its derivative.
    """
    forward = fused(lambda x: tf.cast(function(widened(x)), x.dtype))
    backward = fused(lambda x, outer: tf.cast(derivative(widened(x)) * widened(outer), x.dtype))

    @tf.custom_gradient
    def apply(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return forward(inputs), lambda outer: backward(inputs, outer)

    return apply


def widened(x: tf.Tensor) -> tf.Tensor:
    """Return the array, cast to float32 unless it is float64."""
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)

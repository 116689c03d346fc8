"""Sigmoid linear unit."""

import keras
import tensorflow as tf

from cifar_keras.layers.fused import with_gradient


def _silu_slope(x: tf.Tensor) -> tf.Tensor:
    gate = tf.sigmoid(x)
    return gate * (1 + x * (1 - gate))


_silu = with_gradient(lambda x: x * tf.sigmoid(x), _silu_slope)


@keras.saving.register_keras_serializable(package="cifar_keras")
class SiLU(keras.layers.Layer):
    """SiLU, `x * sigmoid(x)`, also called Swish.

    Args:
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: a float tensor of any shape.
        training: whether gradients are needed; otherwise Keras' own operation runs.

    Returns:
        A tensor shaped like `inputs`.

    Reference:
        Elfwing, Uchibe and Doya, arXiv 1702.03118.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return _silu(inputs) if training else keras.ops.silu(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

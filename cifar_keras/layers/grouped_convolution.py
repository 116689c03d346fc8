"""Grouped convolution in one kernel."""

import keras
import tensorflow as tf
from keras import ops

_HALF = (tf.float16, tf.bfloat16)


@keras.saving.register_keras_serializable(package="cifar_keras")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' convolution in groups, through TensorFlow's own operation.

    The same function with the same variables. Keras hands grouped convolutions to XLA, since
    without oneDNN TensorFlow has no gradient for them on a CPU; with oneDNN it has, and takes a
    hundredth of XLA's time. Many a CPU has none in half precision even so; on CPUs products and
    sums are therefore float32 there, and only the result is rounded.

    Args:
        *args: as of `keras.layers.Conv2D`.
        **kwargs: as of `keras.layers.Conv2D`, `groups` among them.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height, width, filters), channel i of them from the i // (filters / groups)-th
        group of `channels / groups` inputs.

    Reference:
        Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
        Networks, 2012.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        kernel = ops.convert_to_tensor(kernel)
        if inputs.dtype in _HALF and not tf.config.get_visible_devices("GPU"):
            return tf.cast(self._convolved(*_in_float32(inputs, kernel)), inputs.dtype)
        return self._convolved(inputs, kernel)

    def _convolved(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(
            inputs, kernel, self.strides, self.padding.upper(), dilations=self.dilation_rate
        )


def _in_float32(*tensors: tf.Tensor) -> list[tf.Tensor]:
    return [tf.cast(tensor, tf.float32) for tensor in tensors]

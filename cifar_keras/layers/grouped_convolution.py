"""Grouped convolution in one kernel."""

import keras
import tensorflow as tf
from keras import ops

_HALF = (tf.float16, tf.bfloat16)


@keras.saving.register_keras_serializable(package="cifar_keras")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' grouped convolution, with TensorFlow's own operation.

    It computes the same function with the same variables. Keras compiles grouped convolutions with
    XLA, because TensorFlow without oneDNN has no gradient for them on a CPU. TensorFlow with oneDNN
    has one, which takes a hundredth of the time. In half precision many CPUs still have none, so
    on a CPU products and sums are float32 and only the result is rounded.

    Args:
        *args: see `keras.layers.Conv2D`.
        **kwargs: see `keras.layers.Conv2D`; `groups` is one of them.

    Call arguments:
        inputs: (batch, height, width, channels).

    Returns:
        (batch, height, width, filters). Output channel i is computed from group
        i // (filters / groups) of `channels / groups` input channels.

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

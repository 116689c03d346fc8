"""Grouped convolution in one kernel."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="cifar_keras")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras' convolution in groups, through TensorFlow's own operation.

    The same function with the same variables. Keras hands grouped convolutions to XLA, since
    without oneDNN TensorFlow has no gradient for them on a CPU; with oneDNN it has, and takes a
    hundredth of XLA's time.

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
        return tf.nn.conv2d(
            inputs,
            ops.convert_to_tensor(kernel),
            self.strides,
            self.padding.upper(),
            dilations=self.dilation_rate,
        )

"""Images at another size, bilinear with antialiasing."""

from collections.abc import Callable

import keras
import tensorflow as tf

from cifar_keras.experiment.stages import Place


def resized(images: tf.Tensor, size: int) -> tf.Tensor:
    """The images (B, H, W, C) with sides of `size`."""
    return tf.image.resize(images, (size, size), "bilinear", antialias=True)


def resized_by_products(images: tf.Tensor, size: int) -> tf.Tensor:
    """The same but for rounding, from matrix products alone: XLA knows no antialiased resize."""
    rows, columns = (_weights(side, size) for side in images.shape[1:3])
    return tf.einsum("yh,bhwc,xw->byxc", rows, images, columns)


def _weights(side: int, size: int) -> tf.Tensor:
    """What each old pixel of a side (second axis) gives to each new one (first axis)."""
    with tf.init_scope():
        units = tf.eye(side)[None, :, :, None]
        weights = tf.image.resize(units, (size, side), "bilinear", antialias=True)
        return tf.constant(weights[0, :, :, 0].numpy())


class ImageSizes(keras.callbacks.Callback):
    """Sets the size that the training model gives to its images at each step."""

    def __init__(self, place: Place, size: Callable[[int], int | None]) -> None:
        super().__init__()
        self.place, self.size = place, size

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.image_size = self.size(self.place.step)

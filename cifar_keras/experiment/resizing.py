"""Resize images, bilinear with antialiasing."""

import tensorflow as tf


def resized(images: tf.Tensor, size: int) -> tf.Tensor:
    """Return the images (B, H, W, C) with sides of `size`."""
    return tf.image.resize(images, (size, size), "bilinear", antialias=True)


def resized_by_products(images: tf.Tensor, size: int) -> tf.Tensor:
    """Do the same with matrix products, since XLA has no antialiased resize; rounding differs."""
    rows, columns = (_weights(side, size) for side in images.shape[1:3])
    return tf.einsum("yh,bhwc,xw->byxc", rows, images, columns)


def _weights(side: int, size: int) -> tf.Tensor:
    """Return the weight of each old pixel (second axis) in each new pixel (first axis)."""
    with tf.init_scope():
        units = tf.eye(side)[None, :, :, None]
        weights = tf.image.resize(units, (size, side), "bilinear", antialias=True)
        return tf.constant(weights[0, :, :, 0].numpy())

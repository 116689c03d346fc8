"""Test-time augmentation: the views of an image whose logits are averaged."""

import tensorflow as tf

# The weight of each of `airbench_views`, in order.
VIEW_WEIGHTS = (1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8)


def airbench_views(images: tf.Tensor) -> list[tf.Tensor]:
    """Return six views of normalized images (B, H, W, 3), each of the same shape.

    They are the images and their mirror images, then the same for the images shifted by one pixel
    down and right, and by one pixel up and left, with a reflected border. `VIEW_WEIGHTS` are for
    the average of their logits, not of their probabilities.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, legacy/airbench94.py, level 2.
    """
    padded = tf.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
    plain = [images, padded[:, :-2, :-2], padded[:, 2:, 2:]]
    return [view for each in plain for view in (each, each[:, :, ::-1])]

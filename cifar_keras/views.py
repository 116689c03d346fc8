"""Test-time augmentation: the views of an image whose logits are averaged."""

import tensorflow as tf

# Of each of `airbench_views`, in their order.
VIEW_WEIGHTS = (1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8)


def airbench_views(images: tf.Tensor) -> list[tf.Tensor]:
    """Six views of normalised images (B, H, W, 3), each of their shape.

    The images and their mirror images, then the same of the images moved by one pixel down and
    right, and by one up and left, over a reflected border. Their logits, not their probabilities,
    are averaged with `VIEW_WEIGHTS`.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, legacy/airbench94.py, level 2.
    """
    padded = tf.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
    plain = [images, padded[:, :-2, :-2], padded[:, 2:, 2:]]
    return [view for each in plain for view in (each, each[:, :, ::-1])]

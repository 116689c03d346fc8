"""The padding of strided convolutions, as other frameworks do it."""

import keras
from keras import layers


def pad_all_round(
    x: keras.KerasTensor, size: int, strides: int, name: str
) -> tuple[keras.KerasTensor, str]:
    """Return the padded input of a convolution with an odd kernel, and its `padding` argument.

    With stride 2 and even image sizes, Keras' "same" pads only below and to the right. Torch,
    MXNet, neon and Caffe pad all four sides. With stride 1 there is no difference, and no layer is
    added.

    Args:
        x: the input.
        size: side of the kernel.
        strides: of the convolution.
        name: of the padding layer.
    """
    if strides == 1:
        return x, "same"
    return layers.ZeroPadding2D(size // 2, name=name)(x), "valid"

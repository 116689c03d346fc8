"""The padding of convolutions with a stride, as other frameworks do it."""

import keras
from keras import layers


def pad_all_round(
    x: keras.KerasTensor, size: int, strides: int, name: str
) -> tuple[keras.KerasTensor, str]:
    """Returns what a convolution of this odd size sees, and the `padding` to give to it.

    On even sizes Keras' "same" at stride 2 pads only below and right; Torch, MXNet, neon and Caffe
    pad all round. At stride 1 both are the same, and no layer is added; `name` is the layer's.
    """
    if strides == 1:
        return x, "same"
    return layers.ZeroPadding2D(size // 2, name=name)(x), "valid"

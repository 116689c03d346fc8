"""The deeply-supervised net: a network in network with a classifier on each block."""

import keras
from keras import layers

from cifar_keras.initializers import initializer
from cifar_keras.layers import Dropout
from cifar_keras.layers.companion import Companion
from cifar_keras.models.nin import BLOCKS
from cifar_keras.models.parts import check_halves_twice, mean_logits, same_conv


def dsn(
    input_shape: tuple[int, int, int],
    num_classes: int,
    kernel_initializer: str = "normal_0.05",
    companion_initializer: str = "xavier_caffe_2014_dense",
    companion_weight: float = 1.0,
    dropout: float = 0.5,
) -> keras.Model:
    """Returns the deeply-supervised net, from images (H, W, 3) to logits (num_classes,).

    Three blocks of three convolutions, each with a bias and, but for the last, ReLU; a 3x3 max
    pooling of stride 2 and dropout after each block but the last, whose maps are averaged over the
    image to logits. A companion classifier sees the first convolution of each block before its
    ReLU; `companion_weight` is its loss' weight beside the network's own. At test it does nothing.

    With 10 / 100 classes 966,986 / 984,356 trainable parameters, and 2,580,510 / 25,805,100 of the
    companions on images of 32x32.

    Defaults are the arguments of recipe `dsn`.

    Raises:
        ValueError: height or width is no multiple of 4, where Caffe's pooling windows, clipped at
            the right and below, are those of "same".

    Reference:
        s9xie/DSN, commit 065e498, examples/best_cifar10_9.65/cifar-10.prototxt.
    """
    check_halves_twice(input_shape)
    inputs = x = keras.Input(input_shape, name="images")
    for block, (size, maps) in enumerate(BLOCKS, start=1):
        for place, filters in enumerate(maps, start=1):
            name = f"block{block}_{place}"
            maps_of, side = filters or num_classes, size if place == 1 else 1
            x = same_conv(x, maps_of, side, kernel_initializer, f"{name}_conv", use_bias=True)
            if place == 1:
                x = Companion(
                    num_classes,
                    companion_weight,
                    initializer(companion_initializer),
                    name=f"companion{block}",
                )(x)
            if filters is not None:
                x = layers.ReLU(name=f"{name}_relu")(x)
        if block < len(BLOCKS):
            x = layers.MaxPooling2D(3, 2, "same", name=f"block{block}_pool")(x)
            x = Dropout(dropout, name=f"block{block}_dropout")(x)
            # That Caffe did not scale up what was kept in training, but all down at test.
            x = layers.Rescaling(1 - dropout, name=f"block{block}_scale")(x)
    x = mean_logits(x)
    return keras.Model(inputs, x, name="dsn")

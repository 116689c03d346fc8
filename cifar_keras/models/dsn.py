"""The deeply-supervised net: a network in network with an auxiliary classifier in each block."""

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
    """Return the deeply-supervised net, from images (H, W, 3) to logits (num_classes,).

    It has three blocks of three convolutions. Every convolution has a bias, and all but the last
    are followed by ReLU. A 3x3 max pooling with stride 2 and dropout follow the first two blocks.
    The maps of the last block are averaged over the image to give the logits.

    A companion classifier reads the first convolution of each block before its ReLU. Its loss is
    added to the network's own with the factor `companion_weight`. At test time it does nothing.

    With 10 / 100 classes it has 966,986 / 984,356 trainable parameters. On 32x32 images the
    companions have another 2,580,510 / 25,805,100.

    Defaults are the arguments of recipe `dsn`.

    Raises:
        ValueError: height or width is not a multiple of 4. Only then do Caffe's pooling windows,
            which are clipped on the right and at the bottom, agree with "same".

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
            # That version of Caffe does not scale up kept values in training; it scales down all
            # values at test time.
            x = layers.Rescaling(1 - dropout, name=f"block{block}_scale")(x)
    x = mean_logits(x)
    return keras.Model(inputs, x, name="dsn")

"""The networks in stock Keras layers, written as in Keras' examples and not taken from ours.

Each function returns a model from images (side, side, 3) to logits, with Keras' default initial
weights. RReLU is the only layer that Keras does not have.
"""

from collections.abc import Callable
from functools import partial

import keras
from keras import layers

from benchmarks.peers.shapes import (
    AIRBENCH_WIDTHS,
    INCEPTION_MODULES,
    RESNET_FILTERS,
    RRELU,
    SPEEDRUN_GROUPS,
    VGG_DROPOUT,
    VGG_GROUPS,
)


def conv(
    x: keras.KerasTensor, filters: int, size: int, strides: int = 1, bias: bool = False
) -> keras.KerasTensor:
    """Apply a convolution, padded on all sides as in the originals."""
    padding = "same"
    if strides > 1:
        padding = "valid"
        x = layers.ZeroPadding2D(size // 2)(x) if size > 1 else x
    return layers.Conv2D(filters, size, strides, padding, use_bias=bias)(x)


def resnet(side: int, num_classes: int, depth: int) -> keras.Model:
    """Return system C (cifar10_msra.py of apark263/cfmz)."""
    norm = partial(layers.BatchNormalization, momentum=0.9)
    inputs = keras.Input((side, side, 3))
    x = layers.ReLU()(norm()(conv(inputs, 16, 3)))
    for stage, filters in enumerate(RESNET_FILTERS):
        for block in range((depth - 2) // 6):
            strides = 2 if stage and not block else 1
            shortcut = conv(x, filters, 1, 2) if strides == 2 else x
            x = layers.ReLU()(norm()(conv(x, filters, 3, strides)))
            x = layers.Add()([norm()(conv(x, filters, 3)), shortcut])
            x = layers.ReLU()(x)
    x = layers.Dense(num_classes, use_bias=False)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, norm()(x))


def vgg(side: int, num_classes: int) -> keras.Model:
    """Return system D with batch norm and dropout (Vgg.py of chenjz13/CIFAR-10_Pytorch)."""
    inputs = x = keras.Input((side, side, 3))
    for (filters, convolutions), rate in zip(VGG_GROUPS, VGG_DROPOUT, strict=True):
        for place in range(convolutions):
            x = conv(x, filters, 3, bias=True)
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
            x = layers.ReLU()(x)
            if place + 1 < convolutions:
                x = layers.SpatialDropout2D(rate)(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.Dropout(0.5)(layers.Dense(512, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(num_classes)(x))


def whitened(x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a 2x2 convolution with a fixed kernel and a trained bias."""
    layer = layers.Conv2D(24, 2)
    x = layer(x)
    layer.kernel.trainable = False
    return x


def airbench(side: int, num_classes: int) -> keras.Model:
    """Return system G for 94 % (airbench94.py)."""
    norm = partial(layers.BatchNormalization, momentum=0.6, epsilon=1e-12, scale=False)
    inputs = keras.Input((side, side, 3))
    x = layers.Activation("gelu")(whitened(inputs))
    for filters in AIRBENCH_WIDTHS:
        x = layers.MaxPooling2D()(conv(x, filters, 3))
        x = layers.Activation("gelu")(norm()(x))
        x = layers.Activation("gelu")(norm()(conv(x, filters, 3)))
    x = layers.Flatten()(layers.MaxPooling2D(3)(x))
    x = layers.Dense(num_classes, use_bias=False)(x)
    return keras.Model(inputs, layers.Rescaling(1 / 9)(x))


def speedrun(side: int, num_classes: int) -> keras.Model:
    """Return system H (model.py of NAVIER-STOKED)."""

    def norm(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        return layers.Activation("silu")(x)

    inputs = keras.Input((side, side, 3))
    x = layers.Activation("silu")(whitened(inputs))
    for width, middle, (first, second, third) in SPEEDRUN_GROUPS:
        x = shortcut = norm(layers.MaxPooling2D()(conv(x, width, first)))
        x = norm(conv(norm(conv(x, middle, second)), width, third))
        x = layers.Add()([x, shortcut])
    x = layers.Add()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    x = layers.Dense(num_classes, use_bias=False)(x)
    return keras.Model(inputs, layers.Rescaling(1.25 / 9)(x))


class RReLU(keras.layers.Layer):
    """Draw a slope for every element in training; use the mean slope at test time."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator()

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        slope = sum(RRELU) / 2
        if training:
            slope = keras.random.uniform(keras.ops.shape(x), *RRELU, seed=self.seeds)
        return keras.ops.where(x > 0, x, x * slope)


def inception(side: int, num_classes: int) -> keras.Model:
    """Return system A (the CIFAR-100 notebook of apache/mxnet@011bde4d)."""

    def unit(x: keras.KerasTensor, filters: int, size: int, strides: int = 1) -> keras.KerasTensor:
        x = conv(x, filters, size, strides, bias=True)
        return RReLU()(layers.BatchNormalization(momentum=0.1, epsilon=1e-10)(x))

    inputs = x = keras.Input((side, side, 3))
    for _, single, triple, double, pool, projection in INCEPTION_MODULES:
        strides = 1 if single else 2
        branches = [unit(x, single, 1)] if single else []
        branches.append(unit(unit(x, triple[0], 1), triple[1], 3, strides))
        y = unit(unit(x, double[0], 1), double[1], 3)
        branches.append(unit(y, double[1], 3, strides))
        kind = layers.AveragePooling2D if pool == "average" else layers.MaxPooling2D
        y = kind(3, strides, "same")(x)
        branches.append(unit(y, projection, 1) if projection else y)
        x = layers.Concatenate()(branches)
    return keras.Model(inputs, layers.Dense(num_classes)(layers.GlobalAveragePooling2D()(x)))


NETWORKS: dict[str, Callable[[int, int], keras.Model]] = {
    "resnet20": partial(resnet, depth=20),
    "resnet110": partial(resnet, depth=110),
    "airbench94": airbench,
    "speedrun100": speedrun,
    "vgg_bn_dropout": vgg,
    "inception_rrelu": inception,
}

"""The sub-Inception network of MXNet's CIFAR-100 notebook."""

from typing import Any, NamedTuple

import keras
from keras import layers

from cifar_keras.initializers import initializer
from cifar_keras.layers import BatchNormalization, Conv2D
from cifar_keras.layers.activation import activation as activation_layer
from cifar_keras.layers.padding import pad_all_round
from cifar_keras.models.parts import check_halves_twice, dense_logits


class _Module(NamedTuple):
    """Maps of each branch; pairs are (after the 1x1 reduction, after each 3x3 convolution)."""

    single: int
    triple: tuple[int, int]
    double: tuple[int, int]
    pool: str
    projection: int


# From the notebook. A module without a 1x1 branch and a projection halves the image.
MODULES = {
    "3a": _Module(64, (64, 64), (64, 96), "average", 32),
    "3b": _Module(64, (64, 96), (64, 96), "average", 64),
    "3c": _Module(0, (128, 160), (64, 96), "max", 0),
    "4a": _Module(224, (64, 96), (96, 128), "average", 128),
    "4b": _Module(192, (96, 128), (96, 128), "average", 128),
    "4c": _Module(160, (128, 160), (128, 160), "average", 128),
    "4d": _Module(96, (128, 192), (160, 192), "average", 128),
    "4e": _Module(0, (128, 192), (192, 256), "max", 0),
    "5a": _Module(352, (192, 320), (160, 224), "average", 128),
    "5b": _Module(352, (192, 320), (192, 224), "max", 128),
}
# Bounds of RReLU's slope.
SLOPES = [0.125, 0.334]


def inception(
    input_shape: tuple[int, int, int],
    num_classes: int,
    activation: str = "rrelu",
    activation_numbers: list[float] = SLOPES,
    kernel_initializer: str = "xavier_mxnet_2015",
    bn_momentum: float = 0.1,
    bn_epsilon: float = 1e-10,
    bn_initial_variance: float = 0.0,
) -> keras.Model:
    """Return the sub-Inception network, from images (H, W, 3) to logits (num_classes,).

    It has ten modules and no stem. Every convolution has a bias (redundant, but decayed) and is
    followed by batch norm and the activation. For `activation` and `activation_numbers` see
    `layers.activation`. `bn_initial_variance` is the initial value of the moving variances. With
    MXNet's 0, logits at test time are meaningless until the network is trained for one step.

    With 100 classes it has 10,205,348 trainable parameters, and 9,696 more with PReLU.

    Defaults are the arguments of recipe `inception_rrelu`.

    Raises:
        ValueError: height or width is not a multiple of 4, or a name is unknown. Only with
            multiples of 4 do MXNet's pooling windows, which are clipped on the right and at the
            bottom, agree with "same".

    Reference:
        apache/mxnet, commit 011bde4d, example/notebooks/CIFAR-100.ipynb.
    """
    check_halves_twice(input_shape)
    batch_norm = {
        "momentum": bn_momentum,
        "epsilon": bn_epsilon,
        "moving_variance_initializer": keras.initializers.Constant(bn_initial_variance),
    }
    net = _Inception(activation, activation_numbers, kernel_initializer, batch_norm)
    inputs = x = keras.Input(input_shape, name="images")
    for place, module in MODULES.items():
        x = net.module(x, module, f"module{place}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = dense_logits(x, num_classes, kernel_initializer)
    return keras.Model(inputs, x, name=f"inception_{activation}")


class _Inception:
    """Builds the layers of one network with their common settings."""

    def __init__(
        self,
        activation: str,
        activation_numbers: list[float],
        kernel_initializer: str,
        batch_norm: dict[str, Any],
    ) -> None:
        self.activation, self.activation_numbers = activation, activation_numbers
        self.kernel_initializer = kernel_initializer
        self.batch_norm = batch_norm

    def module(self, x: keras.KerasTensor, maps: _Module, name: str) -> keras.KerasTensor:
        strides = 1 if maps.single else 2
        branches = [self.unit(x, maps.single, 1, 1, f"{name}_single")] if maps.single else []
        triple = self.unit(x, maps.triple[0], 1, 1, f"{name}_triple_reduce")
        branches.append(self.unit(triple, maps.triple[1], 3, strides, f"{name}_triple"))
        double = self.unit(x, maps.double[0], 1, 1, f"{name}_double_reduce")
        double = self.unit(double, maps.double[1], 3, 1, f"{name}_double_1")
        branches.append(self.unit(double, maps.double[1], 3, strides, f"{name}_double_2"))
        # Averages and maxima leave out the padding of "same", as cuDNN did at that time.
        kind = layers.AveragePooling2D if maps.pool == "average" else layers.MaxPooling2D
        pooled = kind(3, strides, "same", name=f"{name}_pool")(x)
        if maps.projection:
            pooled = self.unit(pooled, maps.projection, 1, 1, f"{name}_projection")
        return layers.Concatenate(name=name)([*branches, pooled])

    def unit(
        self, x: keras.KerasTensor, filters: int, size: int, strides: int, name: str
    ) -> keras.KerasTensor:
        x, padding = pad_all_round(x, size, strides, f"{name}_pad")
        x = Conv2D(
            filters,
            size,
            strides,
            padding=padding,
            kernel_initializer=initializer(self.kernel_initializer),
            name=f"{name}_conv",
        )(x)
        x = BatchNormalization(**self.batch_norm, name=f"{name}_bn")(x)
        kind = self.activation
        return activation_layer(kind, self.activation_numbers, f"{name}_{kind}")(x)

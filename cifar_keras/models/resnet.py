"""Residual networks of 6n + 2 layers for CIFAR, as in neon, in He et al.'s paper and in MXNet."""

from typing import Any

import keras
from keras import layers

from cifar_keras.initializers import initializer
from cifar_keras.layers import BatchNormalization, Conv2D
from cifar_keras.layers.padding import pad_all_round
from cifar_keras.models.parts import dense_logits, logits_dtype

FILTERS = (16, 32, 64)


def resnet_neon(
    input_shape: tuple[int, int, int],
    num_classes: int,
    depth: int = 20,
    kernel_initializer: str = "kaiming_normal",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 0.001,
    final_batch_norm: bool = True,
) -> keras.Model:
    """Return the ResNet of apark263/cfmz, from images (H, W, 3) to logits (num_classes,).

    Where the number of maps changes, the shortcut is a 1x1 convolution with stride 2 and without
    batch norm. It is initialized as the identity and trained (neon's side path). The linear layer
    has no bias. With `final_batch_norm` a batch norm of the logits follows it.

    With 10 classes it has 272,292 / 466,724 / 855,588 / 1,730,532 trainable parameters at depth
    20 / 32 / 56 / 110.

    Defaults are the arguments of recipe `resnet20`.

    Raises:
        ValueError: depth is not 6n + 2.

    Reference:
        https://github.com/apark263/cfmz, commit 19babe0, cifar10_msra.py, on neon v1.2.1.
    """
    net = _ResNet(kernel_initializer, bn_momentum, bn_epsilon, projection="identity")
    inputs, x = net.trunk(input_shape, depth)
    x = dense_logits(x, num_classes, kernel_initializer, use_bias=False)
    if final_batch_norm:
        x = net.batch_norm(x, "logits_bn", dtype=logits_dtype())
    return keras.Model(inputs, x, name=f"resnet{depth}_neon")


def resnet_he(
    input_shape: tuple[int, int, int],
    num_classes: int,
    depth: int = 20,
    kernel_initializer: str = "kaiming_normal",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 1e-05,
) -> keras.Model:
    """Return the ResNet of He et al. for CIFAR, from images (H, W, 3) to logits (num_classes,).

    Shortcuts are option A. Where the number of maps changes, they take every other pixel and fill
    the new maps with zeros, so they have no parameters.

    With 10 classes it has 269,722 / 464,154 / 853,018 / 1,727,962 trainable parameters at depth
    20 / 32 / 56 / 110.

    Defaults are the arguments of recipe `resnet20_he`.

    Raises:
        ValueError: depth is not 6n + 2.

    Reference:
        Deep Residual Learning for Image Recognition, section 4.2, arXiv 1512.03385.
    """
    net = _ResNet(kernel_initializer, bn_momentum, bn_epsilon, projection="subsample")
    inputs, x = net.trunk(input_shape, depth)
    x = dense_logits(x, num_classes, kernel_initializer)
    return keras.Model(inputs, x, name=f"resnet{depth}_he")


def resnet_mxnet(
    input_shape: tuple[int, int, int],
    num_classes: int,
    depth: int = 110,
    kernel_initializer: str = "xavier_mxnet",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 2e-05,
) -> keras.Model:
    """Return MXNet's ResNeXt for small images, from images (H, W, 3) to logits.

    For images up to 32 pixels and fewer than 164 layers, its blocks are two 3x3 convolutions
    without groups. There is a batch norm without gamma before the first convolution, but no batch
    norm or ReLU after it. The first shortcut of every stage, including the first stage, is a 1x1
    convolution with batch norm.

    With 10 classes it has 1,730,973 trainable parameters at depth 110.

    Defaults are the arguments of recipe `resnet110_sgd_scratch`.

    Raises:
        ValueError: depth is not 6n + 2.

    Reference:
        apache/mxnet, commit 703e8eeb, example/image-classification/symbols/resnext.py.
    """
    net = _ResNet(kernel_initializer, bn_momentum, bn_epsilon, projection="batch_norm")
    inputs, x = net.trunk(input_shape, depth)
    x = dense_logits(x, num_classes, kernel_initializer)
    return keras.Model(inputs, x, name=f"resnet{depth}_mxnet")


class _ResNet:
    """Builds the layers of one network with their common settings."""

    def __init__(
        self, kernel_initializer: str, bn_momentum: float, bn_epsilon: float, projection: str
    ) -> None:
        self.kernel_initializer = kernel_initializer
        self.bn: dict[str, Any] = {"momentum": bn_momentum, "epsilon": bn_epsilon}
        self.projection = projection

    def trunk(
        self, input_shape: tuple[int, int, int], depth: int
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"`depth` must be 6n + 2, as 20, 32, 56, 110. Received: depth={depth}")
        inputs = x = keras.Input(input_shape, name="images")
        if self.projection == "batch_norm":
            x = self.batch_norm(x, "input_bn", scale=False)
            x = self.conv(x, FILTERS[0], 3, 1, "stem_conv")
        else:
            x = self.conv(x, FILTERS[0], 3, 1, "stem_conv")
            x = layers.ReLU(name="stem_relu")(self.batch_norm(x, "stem_bn"))
        for stage, filters in enumerate(FILTERS, start=1):
            for block in range(1, blocks + 1):
                strides = 2 if stage > 1 and block == 1 else 1
                name = f"stage{stage}_block{block}"
                shortcut = self.shortcut(x, filters, strides, block == 1, name)
                x = self.block(x, shortcut, filters, strides, name)
        return inputs, layers.GlobalAveragePooling2D(name="pool")(x)

    def shortcut(
        self, x: keras.KerasTensor, filters: int, strides: int, first: bool, name: str
    ) -> keras.KerasTensor:
        if first and self.projection == "batch_norm":
            x = self.conv(x, filters, 1, strides, f"{name}_shortcut_conv")
            return self.batch_norm(x, f"{name}_shortcut_bn")
        if strides == 1:
            return x
        if self.projection == "identity":
            return Conv2D(
                filters,
                1,
                strides,
                use_bias=False,
                kernel_initializer=initializer("identity"),
                name=f"{name}_shortcut_conv",
            )(x)
        new = filters - x.shape[-1]
        x = layers.AveragePooling2D(1, strides, name=f"{name}_shortcut_pool")(x)
        # In channels-first order the last axis is padded, which here holds the channels.
        return layers.ZeroPadding2D(
            ((0, 0), (0, new)), data_format="channels_first", name=f"{name}_shortcut_pad"
        )(x)

    def block(
        self,
        x: keras.KerasTensor,
        shortcut: keras.KerasTensor,
        filters: int,
        strides: int,
        name: str,
    ) -> keras.KerasTensor:
        x = self.conv(x, filters, 3, strides, f"{name}_1_conv")
        x = layers.ReLU(name=f"{name}_1_relu")(self.batch_norm(x, f"{name}_1_bn"))
        x = self.conv(x, filters, 3, 1, f"{name}_2_conv")
        x = self.batch_norm(x, f"{name}_2_bn")
        x = layers.Add(name=f"{name}_add")([x, shortcut])
        return layers.ReLU(name=f"{name}_relu")(x)

    def conv(
        self, x: keras.KerasTensor, filters: int, size: int, strides: int, name: str
    ) -> keras.KerasTensor:
        padding = "valid"
        if size > 1:
            x, padding = pad_all_round(x, size, strides, f"{name}_pad")
        return Conv2D(
            filters,
            size,
            strides,
            padding=padding,
            use_bias=False,
            kernel_initializer=initializer(self.kernel_initializer),
            name=name,
        )(x)

    def batch_norm(
        self, x: keras.KerasTensor, name: str, scale: bool = True, dtype: str | None = None
    ) -> keras.KerasTensor:
        return BatchNormalization(**self.bn, scale=scale, dtype=dtype, name=name)(x)

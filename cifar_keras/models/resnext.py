"""ResNeXt: the network for ImageNet, fine-tuned on CIFAR-10, and the paper's network for CIFAR."""

from typing import Any

import keras
from keras import layers

from cifar_keras.errors import DeviceError
from cifar_keras.initializers import initializer
from cifar_keras.layers import BatchNormalization
from cifar_keras.layers.grouped_convolution import GroupedConv2D
from cifar_keras.layers.padding import pad_all_round
from cifar_keras.models.parts import dense_logits
from cifar_keras.provenance import onednn

# A block outputs four times its stage's base number of maps.
EXPANSION = 4
# Blocks per stage of ResNeXt-101.
BLOCKS = [3, 4, 23, 3]


def resnext_imagenet(
    input_shape: tuple[int, int, int],
    num_classes: int,
    blocks: list[int] = BLOCKS,
    filters: int = 64,
    groups: int = 32,
    width: int = 4,
    input_batch_norm: bool = False,
    head_classes: int = 0,
    kernel_initializer: str = "kaiming_normal",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 1.001e-05,
) -> keras.Model:
    """Return the ResNeXt for ImageNet, from images (H, W, 3) to logits.

    Stem and stages divide the image size by 32, so 28 or 32 pixels become one. `blocks` lists the
    blocks per stage, `filters` is the maps of the stem (64 in the paper), and `width` the maps of
    each of the `groups` in the first stage. `input_batch_norm` adds a batch norm without gamma
    before the stem; MXNet's network has it, that of keras-applications does not. `head_classes` is
    the number of logits, or 0 for `num_classes`. With ImageNet's 1,000 the classes of the data are
    the first ones.

    ResNeXt-101 32x4d, blocks [3, 4, 23, 3], has 42,149,194 trainable parameters with 10 logits and
    44,177,704 with 1,000. It has 3 more with `input_batch_norm`.

    Defaults are the arguments of recipe `resnext101_finetune`.

    Raises:
        ValueError: `head_classes` is smaller than `num_classes`, or an argument is not positive.

    Reference:
        Aggregated Residual Transformations for Deep Neural Networks, table 1, arXiv 1611.05431;
        apache/mxnet, commit 703e8eeb, example/image-classification/symbols/resnext.py.
    """
    if 0 < head_classes < num_classes:
        raise ValueError(
            f"`head_classes` must be 0 or at least {num_classes}. "
            f"Received: head_classes={head_classes}"
        )
    net = _ResNeXt(groups, width, filters, kernel_initializer, bn_momentum, bn_epsilon, False)
    inputs = x = keras.Input(input_shape, name="images")
    if input_batch_norm:
        x = net.batch_norm(x, "input_bn", scale=False)
    x = net.unit(net.conv(x, filters, 7, 2, "stem_conv"), "stem")
    # After a ReLU, padding with zeros does not change a maximum.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    x = net.stages(x, blocks)
    x = dense_logits(x, head_classes or num_classes, kernel_initializer)
    depth = 3 * sum(blocks) + 2
    return keras.Model(inputs, x, name=f"resnext{depth}_{groups}x{width}d_imagenet")


def resnext_cifar(
    input_shape: tuple[int, int, int],
    num_classes: int,
    depth: int = 29,
    filters: int = 64,
    groups: int = 8,
    width: int = 64,
    kernel_initializer: str = "kaiming_normal_fan_out",
    head_initializer: str = "torch_default",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 1e-05,
    bn_unbiased: bool = True,
) -> keras.Model:
    """Return the ResNeXt for CIFAR, from images (H, W, 3) to logits (num_classes,).

    It has a 3x3 stem of `filters` maps (64 in the paper) and three stages of (depth - 2) / 9
    blocks. `width` is the maps of each of the `groups` in the first stage.

    ResNeXt-29 8x64d has 34,426,698 trainable parameters with 10 classes.

    Defaults are the arguments of recipe `resnext29_8x64d`.

    Raises:
        ValueError: depth is not 9n + 2, or an argument is not positive.

    Reference:
        Aggregated Residual Transformations for Deep Neural Networks, section 5.3 and appendix A,
        arXiv 1611.05431; facebookresearch/ResNeXt, commit 833a384, models/resnext.lua.
    """
    count, rest = divmod(depth - 2, 9)
    if rest or count < 1:
        raise ValueError(f"`depth` must be 9n + 2, as 29, 38, 56. Received: depth={depth}")
    net = _ResNeXt(groups, width, filters, kernel_initializer, bn_momentum, bn_epsilon, bn_unbiased)
    inputs = keras.Input(input_shape, name="images")
    x = net.unit(net.conv(inputs, filters, 3, 1, "stem_conv"), "stem")
    x = net.stages(x, [count] * 3)
    x = dense_logits(x, num_classes, head_initializer)
    return keras.Model(inputs, x, name=f"resnext{depth}_{groups}x{width}d")


def check_gradients_on_cpu(model: keras.Model) -> None:
    """Check that the network can be trained on a CPU.

    TensorFlow without oneDNN has no gradient of grouped convolutions.

    Raises:
        DeviceError: the network has a grouped convolution, and oneDNN is off.
    """
    if onednn():
        return
    for layer in model.layers:
        if isinstance(layer, GroupedConv2D):
            raise DeviceError(
                f"layer '{layer.name}' of model '{model.name}' is a grouped convolution; training "
                "it on a CPU requires oneDNN; set TF_ENABLE_ONEDNN_OPTS=1 and start again"
            )


class _ResNeXt:
    """Builds the layers of one network with their common settings."""

    def __init__(
        self,
        groups: int,
        width: int,
        filters: int,
        kernel_initializer: str,
        bn_momentum: float,
        bn_epsilon: float,
        bn_unbiased: bool,
    ) -> None:
        for name, value in {"groups": groups, "width": width, "filters": filters}.items():
            if value < 1:
                raise ValueError(f"`{name}` must be above 0. Received: {name}={value}")
        self.groups, self.width, self.filters = groups, width, filters
        self.kernel_initializer = kernel_initializer
        self.bn: dict[str, Any] = {
            "momentum": bn_momentum,
            "epsilon": bn_epsilon,
            "unbiased": bn_unbiased,
        }

    def stages(self, x: keras.KerasTensor, blocks: list[int]) -> keras.KerasTensor:
        if not blocks or min(blocks) < 1:
            raise ValueError(f"`blocks` must be numbers above 0. Received: blocks={blocks}")
        for stage, count in enumerate(blocks, start=1):
            for block in range(1, count + 1):
                x = self.block(x, stage, block)
        return layers.GlobalAveragePooling2D(name="pool")(x)

    def block(self, x: keras.KerasTensor, stage: int, block: int) -> keras.KerasTensor:
        name = f"stage{stage}_block{block}"
        inner = self.groups * self.width * 2 ** (stage - 1)
        outer = EXPANSION * self.filters * 2 ** (stage - 1)
        strides = 2 if stage > 1 and block == 1 else 1
        shortcut = x
        if block == 1:
            shortcut = self.conv(x, outer, 1, strides, f"{name}_shortcut_conv")
            shortcut = self.batch_norm(shortcut, f"{name}_shortcut_bn")
        x = self.unit(self.conv(x, inner, 1, 1, f"{name}_1_conv"), f"{name}_1")
        x = self.conv(x, inner, 3, strides, f"{name}_2_conv", self.groups)
        x = self.conv(self.unit(x, f"{name}_2"), outer, 1, 1, f"{name}_3_conv")
        x = layers.Add(name=f"{name}_add")([self.batch_norm(x, f"{name}_3_bn"), shortcut])
        return layers.ReLU(name=f"{name}_relu")(x)

    def unit(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.ReLU(name=f"{name}_relu")(self.batch_norm(x, f"{name}_bn"))

    def batch_norm(self, x: keras.KerasTensor, name: str, scale: bool = True) -> keras.KerasTensor:
        return BatchNormalization(**self.bn, scale=scale, name=name)(x)

    def conv(
        self,
        x: keras.KerasTensor,
        filters: int,
        size: int,
        strides: int,
        name: str,
        groups: int = 1,
    ) -> keras.KerasTensor:
        padding = "valid"
        if size > 1:
            x, padding = pad_all_round(x, size, strides, f"{name}_pad")
        kind = GroupedConv2D if groups > 1 else layers.Conv2D
        return kind(
            filters,
            size,
            strides,
            padding=padding,
            groups=groups,
            use_bias=False,
            kernel_initializer=initializer(self.kernel_initializer),
            name=name,
        )(x)

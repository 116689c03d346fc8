"""The networks of airbench, which reach 94, 95 and 96 % on CIFAR-10 in seconds on a GPU."""

from typing import Any

import keras
from keras import layers

from cifar_keras.initializers import torch_bias
from cifar_keras.layers import GELU, BatchNormalization, Whitening
from cifar_keras.models.parts import dense_logits, same_conv

# Pixels of a 2x2 patch.
PATCH = 4
WIDTHS = [64, 256, 256]


def airbench(
    input_shape: tuple[int, int, int],
    num_classes: int,
    widths: list[int] = WIDTHS,
    residual: bool = False,
    whitening_epsilon: float = 0.0005,
    whitening_bias: str = "zeros",
    kernel_initializer: str = "torch_dirac",
    head_initializer: str = "torch_default",
    bn_momentum: float = 0.6,
    bn_epsilon: float = 1e-12,
    bn_unbiased: bool = True,
    logits_divisor: float = 9.0,
) -> keras.Model:
    """Return the network of airbench, from normalized images (H, W, 3) to logits.

    It begins with a fixed whitening of 2x2 patches, of which only the bias is trained; its initial
    values are `whitening_bias`, either `zeros` or `torch_default`. The whitening must be adapted to
    images before training.

    Then comes a group of 3x3 convolutions for each of the three `widths`: convolution, max pooling,
    batch norm without gamma, GELU; convolution, batch norm, GELU. With `residual` a third
    convolution and batch norm follow, then the output of the group's first GELU is added, then
    comes a last GELU.

    With 10 classes it has 1,971,352 trainable parameters for widths 64, 256, 256 (airbench94),
    4,604,440 for 128, 384, 384 (airbench95), and 9,915,416 for 128, 384, 512 with `residual`
    (airbench96). Another 288 parameters are not trained.

    Defaults are the arguments of recipe `airbench94`.

    Raises:
        ValueError: the images are too small for the last pooling, `widths` does not have three
            numbers, or `whitening_bias` is unknown.

    Reference:
        KellerJordan/cifar10-airbench, commit f1c599c, legacy/airbench94.py to airbench96.py, and
        airbench94_muon.py; arXiv 2404.00498.
    """
    if any(size is None or size < 25 for size in input_shape[:2]):
        raise ValueError(
            "height and width of `input_shape` must be at least 25. "
            f"Received: input_shape={input_shape}"
        )
    if len(widths) != 3:
        raise ValueError(f"`widths` must be three, one per group. Received: widths={widths}")
    bn = {"momentum": bn_momentum, "epsilon": bn_epsilon, "unbiased": bn_unbiased, "scale": False}
    net = _Airbench(kernel_initializer, bn)
    inputs = keras.Input(input_shape, name="images")
    x = Whitening(
        whitening_epsilon,
        centered=False,
        bias_initializer=_whitening_bias(whitening_bias, PATCH * input_shape[-1]),
        name="whitening",
    )(inputs)
    x = GELU(name="whitening_gelu")(x)
    for group, filters in enumerate(widths, start=1):
        x = net.group(x, filters, residual, f"group{group}")
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(3, name="pool")(x))
    x = dense_logits(x, num_classes, head_initializer, use_bias=False, divisor=logits_divisor)
    return keras.Model(inputs, x, name="airbench")


def _whitening_bias(kind: str, fan_in: int) -> keras.initializers.Initializer:
    if kind not in ("zeros", "torch_default"):
        raise ValueError(
            f"`whitening_bias` must be zeros or torch_default. Received: whitening_bias={kind!r}"
        )
    return keras.initializers.Zeros() if kind == "zeros" else torch_bias(fan_in)


class _Airbench:
    """Builds the layers of one network with their common settings."""

    def __init__(self, kernel_initializer: str, bn: dict[str, Any]) -> None:
        self.kernel_initializer, self.bn = kernel_initializer, bn

    def group(
        self, x: keras.KerasTensor, filters: int, residual: bool, name: str
    ) -> keras.KerasTensor:
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(self.conv(x, filters, f"{name}_1_conv"))
        x = shortcut = self.gelu(self.batch_norm(x, f"{name}_1_bn"), f"{name}_1_gelu")
        x = self.batch_norm(self.conv(x, filters, f"{name}_2_conv"), f"{name}_2_bn")
        x = self.gelu(x, f"{name}_2_gelu")
        if not residual:
            return x
        x = self.batch_norm(self.conv(x, filters, f"{name}_3_conv"), f"{name}_3_bn")
        x = layers.Add(name=f"{name}_add")([x, shortcut])
        return self.gelu(x, f"{name}_3_gelu")

    def conv(self, x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        return same_conv(x, filters, 3, self.kernel_initializer, name)

    def batch_norm(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return BatchNormalization(**self.bn, name=name)(x)

    def gelu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        # The exact form, Keras' default, not the approximation by the hyperbolic tangent.
        return GELU(name=name)(x)

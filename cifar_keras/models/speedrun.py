"""The network of the CIFAR-100 speed run: 75 % accuracy with the fewest operations known."""

from typing import Any, NamedTuple

import keras
from keras import layers

from cifar_keras.layers import BatchNormalization, SiLU, Whitening
from cifar_keras.models.parts import dense_logits, same_conv


class _Group(NamedTuple):
    """Maps of a group, maps inside its residual block, and the sizes of its three kernels."""

    width: int
    middle: int
    kernels: tuple[int, int, int]


# From NAVIER-STOKED's model.py.
GROUPS = (
    _Group(64, 64, (3, 1, 1)),
    _Group(256, 192, (3, 3, 1)),
    _Group(768, 512, (2, 3, 3)),
)


def speedrun(
    input_shape: tuple[int | None, int | None, int],
    num_classes: int,
    whitening_epsilon: float = 0.0005,
    kernel_initializer: str = "torch_dirac",
    head_initializer: str = "torch_default",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 1e-05,
    bn_unbiased: bool = True,
    logits_divisor: float = 7.2,
) -> keras.Model:
    """Return the network of the CIFAR-100 speed run, from normalized images (H, W, 3) to logits.

    It begins with a fixed whitening of 2x2 patches, of which only the bias is trained, and SiLU.
    The whitening must be adapted to images before training. Each of three groups has a convolution,
    max pooling, batch norm and SiLU, then a residual block of two convolutions with batch norm and
    SiLU. The sum of each map's maximum and mean goes into a linear layer. Height and width may be
    None; then images of any size from 9x9 up can be used.

    With 100 classes it has 8,608,024 trainable parameters, 69,120 fewer with 10 classes. Another
    288 are not trained. An image takes 175 M multiply-adds at 32x32, 87 M at 24x24 and 67 M at
    20x20.

    Defaults are the arguments of recipe `speedrun100`.

    Raises:
        ValueError: the images are too small for three poolings.

    Reference:
        AIDDA-Institute/CIFAR-100-speedrun, commit 8c4de015, submissions/NAVIER-STOKED/model.py.
    """
    if any(size is not None and size < 9 for size in input_shape[:2]):
        raise ValueError(
            "height and width of `input_shape` must be at least 9. "
            f"Received: input_shape={input_shape}"
        )
    bn = {"momentum": bn_momentum, "epsilon": bn_epsilon, "unbiased": bn_unbiased}
    net = _Speedrun(kernel_initializer, bn)
    inputs = keras.Input(input_shape, name="images")
    x = Whitening(whitening_epsilon, centered=True, name="whitening")(inputs)
    x = SiLU(name="whitening_silu")(x)
    for number, group in enumerate(GROUPS, start=1):
        x = net.group(x, group, f"group{number}")
    maximum = layers.GlobalMaxPooling2D(name="pool_max")(x)
    mean = layers.GlobalAveragePooling2D(name="pool_mean")(x)
    x = layers.Add(name="pool")([maximum, mean])
    x = dense_logits(x, num_classes, head_initializer, use_bias=False, divisor=logits_divisor)
    return keras.Model(inputs, x, name="speedrun")


class _Speedrun:
    """Builds the layers of one network with their common settings."""

    def __init__(self, kernel_initializer: str, bn: dict[str, Any]) -> None:
        self.kernel_initializer, self.bn = kernel_initializer, bn

    def group(self, x: keras.KerasTensor, group: _Group, name: str) -> keras.KerasTensor:
        first, second, third = group.kernels
        x = self.conv(x, group.width, first, f"{name}_1_conv")
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        x = shortcut = self.norm_silu(x, f"{name}_1")
        x = self.norm_silu(self.conv(x, group.middle, second, f"{name}_2_conv"), f"{name}_2")
        x = self.norm_silu(self.conv(x, group.width, third, f"{name}_3_conv"), f"{name}_3")
        return layers.Add(name=f"{name}_add")([x, shortcut])

    def conv(self, x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
        return same_conv(x, filters, size, self.kernel_initializer, name)

    def norm_silu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = BatchNormalization(**self.bn, name=f"{name}_bn")(x)
        return SiLU(name=f"{name}_silu")(x)

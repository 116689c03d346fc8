"""The VGG of thirteen convolutions for CIFAR, with and without batch norm and dropout."""

from typing import Any

import keras
from keras import layers

from cifar_keras.initializers import initializer, torch_bias
from cifar_keras.layers import BatchNormalization, Conv2D, Dropout, SpatialDropout2D
from cifar_keras.models.parts import logits_dtype

# (filters, convolutions) of each group; a max pooling ends each.
GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
UNITS = 512
# Channel dropout stands after every convolution but the last of its group.
FIRST_GROUP_DROPOUT, GROUP_DROPOUT, HEAD_DROPOUT = 0.3, 0.4, 0.5


def vgg(
    input_shape: tuple[int, int, int],
    num_classes: int,
    batch_norm: bool = True,
    dropout: bool = True,
    shared: bool = False,
    kernel_initializer: str = "kaiming_normal_fan_out",
    bn_momentum: float = 0.9,
    bn_epsilon: float = 1e-05,
    bn_unbiased: bool = True,
) -> keras.Model:
    """Returns the VGG of "89.89% on CIFAR-10 in Pytorch", from images (H, W, 3) to logits.

    Convolutions are 3x3 with a bias. `dropout` drops whole channels between convolutions and single
    numbers in the classifier; without it there is none of either. `shared` makes one layer of the
    second and third convolution of group 3, and one of all but the first of groups 4 and 5, as in
    the original's network without batch norm and dropout. Biases and linear layers begin as
    PyTorch's.

    With 10 classes 14,982,474 trainable parameters, 8,448 more with `batch_norm`, and 4,953,162
    where `shared` without it.

    Defaults are the arguments of recipe `vgg_bn_dropout`.

    Raises:
        ValueError: height or width is no multiple of 32.

    Reference:
        https://github.com/chenjz13/CIFAR-10_Pytorch, commit a327172, Vgg.py.
    """
    if any(size % 2 ** len(GROUPS) for size in input_shape[:2]):
        raise ValueError(
            "height and width of `input_shape` must be multiples of 32. "
            f"Received: input_shape={input_shape}"
        )
    bn = {"momentum": bn_momentum, "epsilon": bn_epsilon, "unbiased": bn_unbiased}
    net = _Vgg(shared, kernel_initializer, bn if batch_norm else None)
    inputs = x = keras.Input(input_shape, name="images")
    for group, (filters, convolutions) in enumerate(GROUPS, start=1):
        for place in range(1, convolutions + 1):
            x = net.block(x, filters, group, place)
            if dropout and place < convolutions:
                rate = FIRST_GROUP_DROPOUT if group == 1 else GROUP_DROPOUT
                x = SpatialDropout2D(rate, name=f"group{group}_{place}_dropout")(x)
        x = layers.MaxPooling2D(2, name=f"group{group}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    if dropout:
        x = Dropout(HEAD_DROPOUT, name="head_1_dropout")(x)
    x = layers.ReLU(name="head_relu")(net.dense(x, UNITS, "head_dense"))
    if dropout:
        x = Dropout(HEAD_DROPOUT, name="head_2_dropout")(x)
    logits = net.dense(x, num_classes, "logits", dtype=logits_dtype())
    return keras.Model(inputs, logits, name="vgg")


class _Vgg:
    """What the layers of one network share; sometimes a convolution itself."""

    def __init__(
        self, shared: bool, kernel_initializer: str, batch_norm: dict[str, Any] | None
    ) -> None:
        self.shared = shared
        self.kernel_initializer = kernel_initializer
        self.batch_norm = batch_norm
        self.convs: dict[str, keras.layers.Layer] = {}

    def block(
        self, x: keras.KerasTensor, filters: int, group: int, place: int
    ) -> keras.KerasTensor:
        name = f"group{group}_{place}"
        x = self.conv(x, filters, self.conv_name(group, place))
        if self.batch_norm is not None:
            x = BatchNormalization(**self.batch_norm, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def conv_name(self, group: int, place: int) -> str:
        if self.shared and group == 3 and place > 1:
            return "group3_shared_conv"
        if self.shared and (group, place) > (4, 1):
            return "group4_5_shared_conv"
        return f"group{group}_{place}_conv"

    def conv(self, x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        if name not in self.convs:
            self.convs[name] = Conv2D(
                filters,
                3,
                padding="same",
                kernel_initializer=initializer(self.kernel_initializer),
                bias_initializer=torch_bias(9 * x.shape[-1]),
                name=name,
            )
        return self.convs[name](x)

    def dense(
        self, x: keras.KerasTensor, units: int, name: str, dtype: str | None = None
    ) -> keras.KerasTensor:
        return layers.Dense(
            units,
            kernel_initializer=initializer("torch_default"),
            bias_initializer=torch_bias(x.shape[-1]),
            dtype=dtype,
            name=name,
        )(x)

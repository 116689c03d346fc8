"""The VGG with thirteen convolutions for CIFAR, with and without batch norm and dropout."""

from typing import Any

import keras
from keras import layers

from cifar_keras.initializers import initializer, torch_bias
from cifar_keras.layers import BatchNormalization, Conv2D, Dropout, SpatialDropout2D
from cifar_keras.models.parts import logits_dtype

# (filters, convolutions) of each group; each ends with a max pooling.
GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
UNITS = 512
# Channel dropout follows every convolution except the last of its group.
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
    """Return the VGG of "89.89% on CIFAR-10 in Pytorch", from images (H, W, 3) to logits.

    Convolutions are 3x3 with a bias. `dropout` adds dropout of whole channels between convolutions
    and of single values in the classifier. With `shared` the second and third convolution of group
    3 are one layer, and so are all convolutions of groups 4 and 5 except the first of group 4. The
    original shares them in its network without batch norm and dropout. Biases and linear layers are
    initialized as in PyTorch.

    With 10 classes it has 14,982,474 trainable parameters, 8,448 more with `batch_norm`, and
    4,953,162 with `shared` and without `batch_norm`.

    Defaults are the arguments of recipe `vgg_bn_dropout`.

    Raises:
        ValueError: height or width is not a multiple of 32.

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
    """Builds the layers of one network with their common settings; convolutions may be shared."""

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

"""The highway network of 19 layers for CIFAR."""

import keras
from keras import layers

from cifar_keras.initializers import initializer
from cifar_keras.layers import Conv2D, Dropout
from cifar_keras.models.parts import check_halves_twice, dense_logits

# (maps, highway layers) of each stage; the first two end with a max pooling.
STAGES = ((32, 4), (80, 5), (128, 5))
# Maps of the 1x1 convolution before the linear layer, for any number of classes.
HEAD_FILTERS = 100


def highway(
    input_shape: tuple[int, int, int],
    num_classes: int,
    kernel_initializer: str = "kaiming_normal",
    stem_initializer: str = "normal_1",
    logits_initializer: str = "kaiming_normal",
    gate_bias: float = -2.0,
    dropout: float = 0.2,
) -> keras.Model:
    """Return the highway network, from images (H, W, 3) to logits (num_classes,).

    Each stage begins with a 3x3 convolution. Highway layers follow: `y = g relu(conv(x)) +
    (1 - g) x` with the gate `g = sigmoid(conv'(x))`, whose initial bias is `gate_bias`. There is
    dropout before each stage and before the linear layer, and no batch norm. `stem_initializer` is
    for the first convolution, `logits_initializer` for the linear layer.

    With 10 / 100 classes it has 2,256,838 / 2,265,928 trainable parameters.

    Defaults are the arguments of recipe `highway19`.

    Raises:
        ValueError: height or width is not a multiple of 4.

    Reference:
        Srivastava, Greff and Schmidhuber, arXiv 1507.06228; flukeskywalker/highway-networks, commit
        87d1c8d, examples/highways.
    """
    check_halves_twice(input_shape)
    inputs = x = keras.Input(input_shape, name="images")
    for stage, (filters, depth) in enumerate(STAGES, start=1):
        name = f"stage{stage}"
        x = Dropout(dropout, name=f"{name}_dropout")(x)
        values = stem_initializer if stage == 1 else kernel_initializer
        x = _conv(x, filters, 3, values, f"{name}_conv")
        x = layers.ReLU(name=f"{name}_relu")(x)
        for block in range(1, depth + 1):
            x = _highway_layer(x, kernel_initializer, gate_bias, f"{name}_block{block}")
        if stage < len(STAGES):
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    x = _conv(x, HEAD_FILTERS, 1, kernel_initializer, "head_conv")
    x = layers.ReLU(name="head_relu")(x)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = Dropout(dropout, name="head_dropout")(x)
    x = dense_logits(x, num_classes, logits_initializer)
    return keras.Model(inputs, x, name="highway19")


def _highway_layer(
    x: keras.KerasTensor, kernel_initializer: str, gate_bias: float, name: str
) -> keras.KerasTensor:
    filters = x.shape[-1]
    gate = _conv(x, filters, 3, kernel_initializer, f"{name}_gate_conv", gate_bias)
    gate = layers.Activation("sigmoid", name=f"{name}_gate")(gate)
    new = _conv(x, filters, 3, kernel_initializer, f"{name}_conv")
    new = layers.ReLU(name=f"{name}_relu")(new)
    # The same as g new + (1 - g) x, in fewer operations.
    change = layers.Subtract(name=f"{name}_change")([new, x])
    change = layers.Multiply(name=f"{name}_gated")([gate, change])
    return layers.Add(name=f"{name}_add")([x, change])


def _conv(
    x: keras.KerasTensor, filters: int, size: int, values: str, name: str, bias: float = 0.0
) -> keras.KerasTensor:
    return Conv2D(
        filters,
        size,
        padding="same",
        kernel_initializer=initializer(values),
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
    )(x)

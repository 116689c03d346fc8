"""Parts that several families of networks share."""

import keras
from keras import layers

from cifar_keras.initializers import initializer
from cifar_keras.layers import Conv2D


def same_conv(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    kernel_initializer: str,
    name: str,
    use_bias: bool = False,
) -> keras.KerasTensor:
    """Return the maps of a convolution that keeps height and width.

    For an even kernel size, "same" pads below and to the right, in PyTorch as in TensorFlow.
    """
    return Conv2D(
        filters,
        size,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=initializer(kernel_initializer),
        name=name,
    )(x)


def check_halves_twice(input_shape: tuple[int, int, int]) -> None:
    """Check that two poolings with stride 2 halve both sides of the image evenly.

    Raises:
        ValueError: height or width is not a multiple of 4.
    """
    if input_shape[0] % 4 or input_shape[1] % 4:
        raise ValueError(
            "height and width of `input_shape` must be multiples of 4. "
            f"Received: input_shape={input_shape}"
        )


def logits_dtype() -> str:
    """Return the type of logits: that of the weights, so float32 under mixed precision."""
    return str(keras.config.dtype_policy().variable_dtype)


def dense_logits(
    x: keras.KerasTensor,
    num_classes: int,
    kernel_initializer: str,
    use_bias: bool = True,
    divisor: float | None = None,
) -> keras.KerasTensor:
    """Return the logits (B, num_classes) of a linear layer, divided by `divisor` if given."""
    x = layers.Dense(
        num_classes,
        use_bias=use_bias,
        kernel_initializer=initializer(kernel_initializer),
        dtype=logits_dtype(),
        name="logits",
    )(x)
    if divisor is None:
        return x
    return layers.Rescaling(1 / divisor, dtype=logits_dtype(), name="logits_scaled")(x)


def mean_logits(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return the logits (B, C): the means of maps (B, H, W, C) with one channel per class."""
    return layers.GlobalAveragePooling2D(dtype=logits_dtype(), name="logits")(x)

"""The network in network of Xu et al.'s table of activations."""

import keras
from keras import layers

from cifar_keras.layers import Dropout
from cifar_keras.layers.activation import activation as activation_layer
from cifar_keras.models.parts import check_halves_twice, mean_logits, same_conv

# The size of each block's first kernel, and the maps of its three convolutions, of which the second
# and third are 1x1; None for as many maps as classes.
BLOCKS: tuple[tuple[int, tuple[int | None, ...]], ...] = (
    (5, (192, 160, 96)),
    (5, (192, 192, 192)),
    (3, (192, 192, None)),
)
POOLINGS = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}
NO_NUMBERS: list[float] = []


def nin(
    input_shape: tuple[int, int, int],
    num_classes: int,
    activation: str = "relu",
    activation_numbers: list[float] = NO_NUMBERS,
    kernel_initializer: str = "kaiming_normal",
    second_pool: str = "average",
    dropout: float = 0.5,
) -> keras.Model:
    """Returns the network in network, from images (H, W, 3) to logits (num_classes,).

    Three blocks of three convolutions, each with a bias and the activation behind it, the last one
    too; a 3x3 pooling of stride 2 and dropout after each block but the last, whose maps are
    averaged over the image to logits. `activation` and its numbers are those of
    `layers.activation`. The first pooling is of maxima, the second `average` or `max`.

    With 10 / 100 classes 966,986 / 984,356 trainable parameters, 1,418 / 1,508 more with PReLU.

    Defaults are the arguments of recipe `nin_relu`.

    Raises:
        ValueError: height or width is no multiple of 4, where pooling windows that are clipped at
            the right and below are those of "same"; or an argument is unknown by name.

    Reference:
        Xu, Wang, Chen and Li, arXiv 1505.00853; Lin, Chen and Yan, arXiv 1312.4400;
        mavenlin/cuda-convnet, commit f78ec36, NIN/cifar-100_def.
    """
    check_halves_twice(input_shape)
    if second_pool not in POOLINGS:
        raise ValueError(
            f"`second_pool` must be one of {', '.join(POOLINGS)}. "
            f"Received: second_pool={second_pool!r}"
        )
    inputs = x = keras.Input(input_shape, name="images")
    for block, (size, maps) in enumerate(BLOCKS, start=1):
        for place, filters in enumerate(maps, start=1):
            name = f"block{block}_{place}"
            maps_of, side = filters or num_classes, size if place == 1 else 1
            x = same_conv(x, maps_of, side, kernel_initializer, f"{name}_conv", use_bias=True)
            x = activation_layer(activation, activation_numbers, f"{name}_{activation}")(x)
        if block < len(BLOCKS):
            pooling = POOLINGS["max" if block == 1 else second_pool]
            # What "same" adds is left out of averages, as in cuda-convnet.
            x = pooling(3, 2, "same", name=f"block{block}_pool")(x)
            x = Dropout(dropout, name=f"block{block}_dropout")(x)
    x = mean_logits(x)
    return keras.Model(inputs, x, name=f"nin_{activation}")

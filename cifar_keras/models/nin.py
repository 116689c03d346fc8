"""The network in network with which Xu et al. compare activations."""

import keras
from keras import layers

from cifar_keras.layers import Dropout
from cifar_keras.layers.activation import activation as activation_layer
from cifar_keras.models.parts import check_halves_twice, mean_logits, same_conv

# Each block: the size of its first kernel, and the maps of its three convolutions. The second and
# third are 1x1. None means one map per class.
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
    """Return the network in network, from images (H, W, 3) to logits (num_classes,).

    It has three blocks of three convolutions. Every convolution, including the last, has a bias and
    is followed by the activation. A 3x3 pooling with stride 2 and dropout follow the first two
    blocks. The first is a max pooling, and `second_pool` is `average` or `max`. The maps of the
    last block are averaged over the image to give the logits. For `activation` and
    `activation_numbers` see `layers.activation`.

    With 10 / 100 classes it has 966,986 / 984,356 trainable parameters, and 1,418 / 1,508 more with
    PReLU.

    Defaults are the arguments of recipe `nin_relu`.

    Raises:
        ValueError: height or width is not a multiple of 4, or a name is unknown. Only with
            multiples of 4 do pooling windows that are clipped on the right and at the bottom agree
            with "same".

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
            # Averages leave out the padding of "same", as in cuda-convnet.
            x = pooling(3, 2, "same", name=f"block{block}_pool")(x)
            x = Dropout(dropout, name=f"block{block}_dropout")(x)
    x = mean_logits(x)
    return keras.Model(inputs, x, name=f"nin_{activation}")

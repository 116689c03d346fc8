"""The activations that a recipe can name."""

import keras
from keras import layers

from cifar_keras.layers.rrelu import RReLU

# The numbers that each activation takes.
ACTIVATIONS = {
    "relu": (),
    "leaky": ("slope",),
    "prelu": ("initial slope",),
    "rrelu": ("lowest slope", "highest slope"),
    "rrelu_divisors": ("lowest divisor", "highest divisor"),
}


def activation(kind: str, numbers: list[float], name: str) -> keras.layers.Layer:
    """Return a new activation layer.

    Args:
        kind: `relu`, `leaky`, `prelu` (one learned slope per channel), `rrelu` or
            `rrelu_divisors`. The last one divides negative inputs by a random number; the others
            multiply them by a slope.
        numbers: the slope of `leaky`, the initial slope of `prelu`, or the bounds of `rrelu` and
            `rrelu_divisors`; empty for `relu`.
        name: the layer's name.

    Raises:
        ValueError: `kind` is unknown, or `numbers` has the wrong length for it.

    Reference:
        Xu, Wang, Chen and Li, arXiv 1505.00853, compares all of them.
    """
    if kind not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"`activation` must be one of {known}. Received: activation={kind!r}")
    if len(numbers) != len(ACTIVATIONS[kind]):
        wanted = ", ".join(ACTIVATIONS[kind]) or "none"
        raise ValueError(
            f"`activation_numbers` of {kind} are: {wanted}. Received: activation_numbers={numbers}"
        )
    if kind == "relu":
        return layers.ReLU(name=name)
    if kind == "leaky":
        return layers.LeakyReLU(numbers[0], name=name)
    if kind == "prelu":
        # One slope per channel; Keras' default is one per position and channel.
        initial = keras.initializers.Constant(numbers[0])
        return layers.PReLU(initial, shared_axes=[1, 2], name=name)
    lower, upper = numbers
    return RReLU(lower, upper, divisors=kind == "rrelu_divisors", name=name)

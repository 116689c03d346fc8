"""The activations that recipes name."""

import keras
from keras import layers

from cifar_keras.layers.rrelu import RReLU

# How many numbers each takes, and what they are.
ACTIVATIONS = {
    "relu": (),
    "leaky": ("slope",),
    "prelu": ("initial slope",),
    "rrelu": ("lowest slope", "highest slope"),
    "rrelu_divisors": ("lowest divisor", "highest divisor"),
}


def activation(kind: str, numbers: list[float], name: str) -> keras.layers.Layer:
    """A new layer of that activation.

    Args:
        kind: `relu`; `leaky` or `prelu` (learned, one slope a channel) or `rrelu`, which multiply
            what is negative by a slope; `rrelu_divisors`, which divides it.
        numbers: the slope of `leaky`, the initial slope of `prelu`, the bounds of `rrelu` and
            `rrelu_divisors`; none for `relu`.
        name: the layer's name.

    Raises:
        ValueError: no activation has that name, or it takes another number of numbers.

    Reference:
        Xu, Wang, Chen and Li, arXiv 1505.00853, has them all.
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
        # One slope for all places of a channel; Keras' default is one for each place.
        initial = keras.initializers.Constant(numbers[0])
        return layers.PReLU(initial, shared_axes=[1, 2], name=name)
    lower, upper = numbers
    return RReLU(lower, upper, divisors=kind == "rrelu_divisors", name=name)

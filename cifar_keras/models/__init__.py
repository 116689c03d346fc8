"""The networks: a plain dict of factories, and functions that count parameters and operations."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from cifar_keras.errors import RecipeError
from cifar_keras.models.airbench import airbench
from cifar_keras.models.counting import multiply_adds, trainable_parameters
from cifar_keras.models.dsn import dsn
from cifar_keras.models.highway import highway
from cifar_keras.models.inception import inception
from cifar_keras.models.nin import nin
from cifar_keras.models.outside import allow_outside, check_network, is_outside, outside_factory
from cifar_keras.models.resnet import resnet_he, resnet_mxnet, resnet_neon
from cifar_keras.models.resnext import resnext_cifar, resnext_imagenet
from cifar_keras.models.speedrun import speedrun
from cifar_keras.models.vgg import vgg
from cifar_keras.recipe.arguments import check_arguments, nearest

__all__ = ["MODELS", "allow_outside", "build_model", "multiply_adds", "trainable_parameters"]

MODELS: dict[str, Callable[..., keras.Model]] = {
    "airbench": airbench,
    "dsn": dsn,
    "highway": highway,
    "inception": inception,
    "nin": nin,
    "resnet_he": resnet_he,
    "resnet_mxnet": resnet_mxnet,
    "resnet_neon": resnet_neon,
    "resnext_cifar": resnext_cifar,
    "resnext_imagenet": resnext_imagenet,
    "speedrun": speedrun,
    "vgg": vgg,
}


def build_model(
    name: str,
    input_shape: tuple[int | None, int | None, int],
    num_classes: int,
    arguments: dict[str, Any],
) -> keras.Model:
    """Return the network that the named factory builds from these arguments.

    Args:
        name: of one of `MODELS`, or `module:function` for a factory outside this package. The
            latter must have been allowed by `allow_outside`.
        input_shape: (height, width, channels).
        num_classes: how many logits.
        arguments: the factory's other arguments.

    Raises:
        RecipeError: the factory is unknown, or an argument is unknown, missing or invalid.
    """
    if is_outside(name):
        factory = outside_factory(name)
    elif name in MODELS:
        factory = MODELS[name]
    else:
        raise RecipeError(f"unknown model '{name}'; {nearest(name, MODELS, 'there are')}")
    check_arguments(f"model '{name}'", _arguments(factory), arguments, "model")
    try:
        model = factory(input_shape, num_classes, **arguments)
    except ValueError as error:
        raise RecipeError(f"model '{name}': {error}") from error
    if is_outside(name):
        check_network(name, model, num_classes)
    return model


def _arguments(factory: Callable[..., keras.Model]) -> dict[str, Any]:
    """Return the arguments after the first two, with their types."""
    parameters = list(inspect.signature(factory, eval_str=True).parameters.values())[2:]
    return {
        each.name: Any if each.annotation is each.empty else each.annotation
        for each in parameters
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }

"""The networks: a plain dict of factories, and what can be counted of a network."""

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
from cifar_keras.models.resnet import resnet_he, resnet_mxnet, resnet_neon
from cifar_keras.models.resnext import resnext_cifar, resnext_imagenet
from cifar_keras.models.speedrun import speedrun
from cifar_keras.models.vgg import vgg
from cifar_keras.recipe.arguments import check_arguments, nearest

__all__ = ["MODELS", "build_model", "multiply_adds", "trainable_parameters"]

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
    """The network that the named factory builds of these arguments.

    Raises:
        RecipeError: the factory is unknown, an argument is unknown, missing, or impossible.
    """
    if name not in MODELS:
        raise RecipeError(f"unknown model '{name}'; {nearest(name, MODELS, 'there are')}")
    parameters = list(inspect.signature(MODELS[name]).parameters.items())[2:]
    known = {argument: parameter.annotation for argument, parameter in parameters}
    check_arguments(f"model '{name}'", known, arguments, "model")
    try:
        return MODELS[name](input_shape, num_classes, **arguments)
    except ValueError as error:
        raise RecipeError(f"model '{name}': {error}") from error

"""The networks: a plain dict of factories, and what can be counted of a network."""

import difflib
import inspect
from collections.abc import Callable
from typing import Any

import keras
from pydantic import TypeAdapter, ValidationError

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
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(MODELS)}"
        raise RecipeError(f"unknown model '{name}'; {hint}")
    known = dict(list(inspect.signature(MODELS[name]).parameters.items())[2:])
    for argument, value in arguments.items():
        if argument not in known:
            near = difflib.get_close_matches(argument, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(known)}"
            raise RecipeError(f"model '{name}' has no argument '{argument}'; {hint}")
        try:
            TypeAdapter(known[argument].annotation).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise RecipeError(f"model '{name}': {argument}={value!r}: {reason}") from None
    missing = [argument for argument in known if argument not in arguments]
    if missing:
        raise RecipeError(f"model '{name}' lacks {', '.join(missing)}; add to 'model'")
    try:
        return MODELS[name](input_shape, num_classes, **arguments)
    except ValueError as error:
        raise RecipeError(f"model '{name}': {error}") from error

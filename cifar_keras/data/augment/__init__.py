"""Augmentation: one transform per file, each a pure function `(batch, key) -> batch`.

A new transform needs a file here, a section in the recipe's schema and a line in `transforms`. It
has its own random stream (`data/streams.py`), so that the random numbers of other recipes do not
change.
"""

from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.augment.cut_mix import CutMix
from cifar_keras.data.augment.cutout import Cutout
from cifar_keras.data.augment.mix_up import MixUp
from cifar_keras.data.augment.normalizer import Normalizer
from cifar_keras.data.augment.rand_augment import RandAugment
from cifar_keras.data.augment.zero_border import ZeroBorder
from cifar_keras.data.normalize import Normalization
from cifar_keras.data.streams import Stream, fold, stream_key
from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Data
from cifar_keras.recipe.arguments import check_arguments, nearest
from cifar_keras.recipe.schema import KerasCvLayer

# By their names in a recipe's `data.keras_cv`. Their fields are the arguments there.
LAYERS: dict[str, Any] = {"RandAugment": RandAugment, "MixUp": MixUp, "CutMix": CutMix}


@dataclass(frozen=True)
class Keyed:
    """A transform with its random stream, and its position among several of that stream."""

    transform: Transform
    stream: Stream | None = None
    place: int | None = None

    def __call__(self, batch: Batch, seed: int, step: tf.Tensor) -> Batch:
        """Return the transformed batch of this step of a run with this seed."""
        key = None if self.stream is None else stream_key(seed, self.stream, step)
        return self.transform(batch, key if self.place is None else fold(key, self.place))


def transforms(data: Data, images: NDArray[np.uint8], normalization: Normalization) -> list[Keyed]:
    """Return a recipe's transforms of cropped and flipped images, in this order.

    Args:
        data: the recipe's data section.
        images: all training images, uint8 (N, H, W, 3).
        normalization: the recipe's numbers.

    Raises:
        RecipeError: a layer or an argument is unknown, missing or invalid; another key of the
            recipe cannot be combined with moved or mixed images; or keras-cv is not installed.
    """
    if data.keras_cv:
        _check_defined(data)
    found = [
        Keyed(_layer(section), Stream.KERAS_CV, place)
        for place, section in enumerate(data.keras_cv)
    ]
    found.append(Keyed(Normalizer(images, normalization, data.pad)))
    if data.padding == "zeros":
        found.append(Keyed(ZeroBorder(data.pad, images.shape[1] + 2 * data.pad)))
    if data.cutout:
        found.append(Keyed(Cutout(data.cutout), Stream.CUTOUT))
    return found


def _layer(section: KerasCvLayer) -> Transform:
    name = section.layer
    if name not in LAYERS:
        raise RecipeError(f"unknown keras-cv layer '{name}'; {nearest(name, LAYERS, 'there are')}")
    hints = get_type_hints(LAYERS[name], include_extras=True)
    known = {field.name: hints[field.name] for field in fields(LAYERS[name])}
    check_arguments(f"keras-cv layer '{name}'", known, section.arguments, "arguments")
    layer: Transform = LAYERS[name](**section.arguments)
    return layer


def _check_defined(data: Data) -> None:
    for key, value, instead in (
        ("mean", data.mean, "channel"),
        ("padding", data.padding, "reflect or mean"),
    ):
        if value in ("image", "pixel", "zeros"):
            raise RecipeError(
                f"data.{key} '{value}' cannot be combined with data.keras_cv; write {instead}"
            )
    if data.contrast != "none":
        raise RecipeError("data.contrast cannot be combined with data.keras_cv; write none")

"""Augmentation by keras-cv, as a pure function of a random stream.

keras-cv draws from the stateful functions of `tf.random` and from its global generator, so that a
run that resumes would see other images. Here the layers are built and traced while stand-ins take
the place of both: each place of the graph that draws has a number, which is folded into the stream
that the graph is given. keras-cv is imported only where a recipe names one of its layers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, Any

import tensorflow as tf
from pydantic import Field

from cifar_keras.errors import RecipeError
from cifar_keras.quiet import stderr_held_back
from cifar_keras.recipe import Data
from cifar_keras.recipe.arguments import check_arguments, nearest
from cifar_keras.recipe.schema import KerasCvLayer

_Share = Annotated[float, Field(ge=0, le=1)]
# Below 0.1, two gamma variates that are both 0 in float32 turn up in every long run, as 0 / 0.
_Alpha = Annotated[float, Field(ge=0.1)]

# What a recipe must state of each layer. Left out are the seed and the range of the values, which
# are the pipeline's.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "RandAugment": {
        "augmentations_per_image": Annotated[int, Field(ge=1)],
        "magnitude": _Share,
        "magnitude_stddev": _Share,
        "rate": _Share,
        "geometric": bool,
    },
    "MixUp": {"alpha": _Alpha},
    "CutMix": {"alpha": _Alpha},
}
# These blend images of a batch with one another, and their labels; others act on each by itself.
_MIXING = ("MixUp", "CutMix")
_GIVEN = {"RandAugment": {"value_range": (0, 255)}}


def keras_cv_layers(data: Data, num_classes: int) -> "KerasCvLayers | None":
    """The layers of a recipe's `data.keras_cv`, or None where it names none.

    Raises:
        RecipeError: a layer or an argument is unknown, missing or impossible; another key of the
            recipe is not defined on images that were moved or mixed; or keras-cv is not installed.
    """
    if not data.keras_cv:
        return None
    for section in data.keras_cv:
        _check(section)
    for key, value, instead in (
        ("mean", data.mean, "channel"),
        ("padding", data.padding, "reflect or mean"),
    ):
        if value in ("image", "pixel", "zeros"):
            raise RecipeError(
                f"data.{key} '{value}' is not defined behind data.keras_cv; write {instead}"
            )
    if data.contrast != "none":
        raise RecipeError("data.contrast is not defined behind data.keras_cv; write none")
    return KerasCvLayers(data.keras_cv, data.crop, num_classes)


def _check(section: KerasCvLayer) -> None:
    name = section.layer
    if name not in ARGUMENTS:
        hint = nearest(name, ARGUMENTS, "there are")
        raise RecipeError(f"unknown keras-cv layer '{name}'; {hint}")
    owner = f"keras-cv layer '{name}'"
    check_arguments(owner, ARGUMENTS[name], section.arguments, "arguments")


def _import_layers() -> ModuleType:
    try:
        import keras_cv
    except ModuleNotFoundError as error:
        if error.name != "keras_cv":
            raise
        raise RecipeError(
            "data.keras_cv needs keras-cv, which is not installed; "
            "pip install 'cifar_keras[cv]', or set data.keras_cv to []"
        ) from None
    layers: ModuleType = keras_cv.layers
    return layers


class KerasCvLayers:
    """keras-cv layers as one graph, traced once; the same stream gives the same bits.

    Args:
        sections: the recipe's layers, in their order.
        size: height and width of the images.
        num_classes: the length of the labels that MixUp and CutMix make.
    """

    def __init__(self, sections: Sequence[KerasCvLayer], size: int, num_classes: int) -> None:
        self.num_classes = num_classes
        self.soft_labels = any(section.layer in _MIXING for section in sections)
        module = _import_layers()
        self._draws = _Draws()
        signature = (
            tf.TensorSpec((None, size, size, 3), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((2,), tf.int64),
        )
        with _instead_of_tensorflows(self._draws):
            self._layers = [
                (section.layer, getattr(module, section.layer)(**_arguments(section)))
                for section in sections
            ]
            self.graph = tf.function(self._apply).get_concrete_function(*signature)
        _let_onednn_complain()

    def __call__(
        self, images: tf.Tensor, labels: tf.Tensor, stream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The augmented images, float32 (B, H, W, 3) in 0..255, and their labels.

        Labels are the given int32 (B,), or float32 (B, num_classes) where `soft_labels`. `stream`
        is an int64 (2,) seed.
        """
        images, labels = self.graph(images, labels, stream)
        return images, labels

    def _apply(
        self, images: tf.Tensor, labels: tf.Tensor, stream: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self.soft_labels:
            labels = tf.one_hot(labels, self.num_classes)
        for place, (name, layer) in enumerate(self._layers):
            own = _fold(stream, place)
            if name == "MixUp":
                self._draws.begin(own)
                mixed = layer({"images": images, "labels": labels})
                images, labels = mixed["images"], mixed["labels"]
            elif name == "CutMix":
                self._draws.begin(own)
                images, labels = _cut_and_mixed(layer, images, labels)
            else:
                images = self._one_by_one(layer, images, own)
        return images, labels

    def _one_by_one(self, layer: Any, images: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        # As keras-cv maps a batch, but for the stream: with one for all images the loop's body,
        # traced once, would draw the same for each.
        def augmented(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image, index = pair
            self._draws.begin(_fold(stream, index))
            return layer(image)

        count = tf.shape(images, tf.int64)[0]
        single = tf.TensorSpec(images.shape[1:], tf.float32)
        return tf.map_fn(augmented, (images, tf.range(count)), fn_output_signature=single)


def _cut_and_mixed(layer: Any, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # keras-cv's own labels count the whole rectangle where it lies partly outside of the image. A
    # mask that holds each image's number tells what was really put in, and from which.
    numbers = tf.range(tf.shape(images)[0], dtype=tf.float32)[:, None, None, None]
    mixed = layer({"images": images, "segmentation_masks": numbers + 0 * images[..., :1]})
    put_in = mixed["segmentation_masks"] != numbers
    share = tf.reduce_mean(tf.cast(put_in, tf.float32), axis=(1, 2))
    found = tf.reduce_max(tf.where(put_in, mixed["segmentation_masks"], 0), axis=(1, 2, 3))
    partners = tf.gather(labels, tf.cast(found, tf.int32))
    return mixed["images"], (1 - share) * labels + share * partners


def _arguments(section: KerasCvLayer) -> dict[str, Any]:
    return section.arguments | _GIVEN.get(section.layer, {})


def _fold(stream: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(stream, tf.cast(number, tf.int64))


class _Draws:
    """Stands in for `tf.random` and for a `tf.random.Generator`, with their signatures."""

    def __init__(self) -> None:
        self.stream: tf.Tensor = None
        self.places = 0

    def begin(self, stream: tf.Tensor) -> None:
        """Draw from this stream from now on, in the graph that is being traced."""
        self.stream, self.places = stream, 0

    def _next(self) -> tf.Tensor:
        self.places += 1
        return _fold(self.stream, self.places)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = tf.float32,
        seed: None = None,
    ) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, self._next(), minval, maxval, dtype, alg="philox")

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = tf.float32,
        seed: None = None,
    ) -> tf.Tensor:
        return tf.random.stateless_normal(shape, self._next(), mean, stddev, dtype, alg="philox")

    def gamma(self, shape: Any, alpha: Any) -> tf.Tensor:
        return tf.random.stateless_gamma(shape, self._next(), alpha)

    def shuffle(self, value: tf.Tensor, seed: None = None) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(value, self._next(), alg="philox")

    def get_global_generator(self) -> "_Draws":
        return self


@contextmanager
def _instead_of_tensorflows(draws: _Draws) -> Iterator[None]:
    names = ("uniform", "normal", "gamma", "shuffle", "get_global_generator")
    originals = {name: getattr(tf.random, name) for name in names}
    try:
        for name in names:
            setattr(tf.random, name, getattr(draws, name))
        yield
    finally:
        for name, original in originals.items():
            setattr(tf.random, name, original)


def _let_onednn_complain() -> None:
    # On processors without AVX-512 oneDNN says once, as an error, that it leaves integers to Eigen;
    # RandAugment's equalisation transposes integers.
    with stderr_held_back():
        tf.transpose(tf.zeros((1, 1), tf.int32))

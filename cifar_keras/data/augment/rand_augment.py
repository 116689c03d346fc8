"""RandAugment: keras-cv's operations, with our own stateless random choices and strengths.

keras-cv's random numbers are stateful, so a resumed run would see other images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, Any

import tensorflow as tf
from pydantic import Field

from cifar_keras.data.augment.batch import Batch, Transform
from cifar_keras.data.streams import fold, uniform
from cifar_keras.extras import require
from cifar_keras.quiet import stderr_held_back

UnitInterval = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class RandAugment(Transform):
    """Applies random operations of random strength to each image; the arguments are keras-cv's.

    Raises:
        MissingPackage: keras-cv is not installed.

    Reference:
        Cubuk et al. 2019, arXiv 1909.13719; keras-cv 0.9.0, rand_augment.py.
    """

    augmentations_per_image: Annotated[int, Field(ge=1)]
    magnitude: UnitInterval
    magnitude_stddev: UnitInterval
    rate: UnitInterval
    geometric: bool

    def __post_init__(self) -> None:
        require("keras_cv", "cv", "data.keras_cv 'RandAugment'")
        # On processors without AVX-512, oneDNN logs one error when it leaves a transposition of
        # integers to Eigen. Equalization needs one, so the message is triggered and hidden here.
        with stderr_held_back():
            tf.transpose(tf.zeros((1, 1), tf.int32))

    def __call__(self, batch: Batch, key: tf.Tensor) -> Batch:
        images = batch.images
        for place in range(self.augmentations_per_image):
            drawn = self._draw(batch.size, fold(key, place))
            images = self._apply(images, *(each[batch.shard] for each in drawn))
        return replace(batch, images=images)

    def _draw(self, size: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return each image's operation, -1 for none, and the inputs of `_strengths`; all (B,)."""
        which, applied, normally, evenly = (fold(key, place) for place in range(4))
        operations = uniform((size,), which, 0, len(self._layers), tf.int32)
        operations = tf.where(uniform((size,), applied) <= self.rate, operations, -1)
        mean, deviation = self.magnitude, self.magnitude_stddev
        normal = tf.random.stateless_normal((size, 2), normally, mean, deviation, alg="philox")
        a, b = tf.unstack(tf.clip_by_value(normal, 0, 1), axis=1)
        return operations, a, b, uniform((size,), evenly, -1, 1)

    def _strengths(self, a: tf.Tensor, b: tf.Tensor, u: tf.Tensor) -> list[Any]:
        """Return the argument of each of `_layers`, with the distribution that keras-cv uses.

        `a` and `b` are normal, `u` is uniform. Operations can share them, since only one is applied
        to an image.
        """
        shear, move, still = tf.sign(u) * a, self.magnitude * u, 0 * u
        return [
            None,
            None,
            {"additions": 110 * a, "thresholds": 255 * (1 - b)},
            a,
            1 + max(self.magnitude, 0.001) * u,
            255 * move,
            {"shear_x": shear, "shear_y": None},
            {"shear_x": None, "shear_y": shear},
            {"width_translations": move, "height_translations": still},
            {"width_translations": still, "height_translations": move},
        ]

    @cached_property
    def _layers(self) -> list[Any]:
        import keras_cv

        policy = keras_cv.layers.RandAugment.get_standard_policy
        # keras-cv creates a global generator, which deterministic operations refuse to seed. It is
        # never used.
        tf.random.set_global_generator(tf.random.Generator.from_seed(0))
        return list(policy((0, 255), self.magnitude, self.magnitude_stddev, self.geometric))

    @cached_property
    def _apply(self) -> Callable[..., tf.Tensor]:
        def apply(number: int, image: tf.Tensor, *drawn: tf.Tensor) -> tf.Tensor:
            strengths = self._strengths(*(tf.reshape(each, (1, 1)) for each in drawn))
            return self._layers[number].augment_images(image[None], strengths[number])[0]

        def one(inputs: tuple[tf.Tensor, ...]) -> tf.Tensor:
            branches = [partial(apply, n, inputs[0], *inputs[2:]) for n in range(len(self._layers))]
            return tf.switch_case(inputs[1], branches, default=lambda: inputs[0])

        # keras-cv's code needs AutoGraph, which the pipeline turns off.
        return tf.function(lambda *inputs: tf.map_fn(one, inputs, fn_output_signature=tf.float32))

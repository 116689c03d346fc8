"""What evaluation does to images before the network sees them, as a layer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from cifar_keras.pixels import centre, contrast_terms, normalise


@keras.saving.register_keras_serializable(package="cifar_keras")
class Preprocessing(keras.layers.Layer):
    """Raw images as evaluation normalises them: contrasted, normalised, and of them the centre.

    The same operations in the same order as `evaluation_batches`, so both are bit-identical.

    Args:
        crop: side of the centre that is kept.
        contrast: the number of a global contrast normalisation, or None for none; see
            `contrast_terms`.
        mean: nested lists of shape (3,) or (crop, crop, 3).
        factor: three numbers.
        **kwargs: as of `keras.layers.Layer`.

    Call arguments:
        inputs: uint8 or float, shape (batch, side, side, 3), in grey levels.

    Returns:
        float32, shape (batch, crop, crop, 3).
    """

    def __init__(
        self, crop: int, contrast: float | None, mean: list[Any], factor: list[float], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.crop, self.contrast, self.mean, self.factor = crop, contrast, mean, factor

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        x = ops.cast(inputs, "float32")
        if self.contrast is not None:
            terms = contrast_terms(ops.cast(inputs, "float64"), self.contrast, ops)
            mean, factor = (ops.cast(term, "float32")[:, None, None, None] for term in terms)
            x = normalise(x, mean, factor)
        mean, factor = np.asarray(self.mean, np.float32), np.asarray(self.factor, np.float32)
        return normalise(centre(x, self.crop), mean, factor)

    def get_config(self) -> dict[str, Any]:
        own = {"crop": self.crop, "contrast": self.contrast}
        return super().get_config() | own | {"mean": self.mean, "factor": self.factor}

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], self.crop, self.crop, 3)


@keras.saving.register_keras_serializable(package="cifar_keras")
class LikeliestName(keras.layers.Layer):
    """The name of each image's likeliest class.

    Args:
        names: one a class.
        **kwargs: as of `keras.layers.Layer`.

    Call arguments:
        inputs: probabilities, shape (batch, classes).

    Returns:
        Strings, shape (batch,).
    """

    def __init__(self, names: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        # Keras' own operations know no strings.
        return tf.gather(tf.constant(self.names), tf.argmax(inputs, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"names": self.names}

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:-1], dtype="string")

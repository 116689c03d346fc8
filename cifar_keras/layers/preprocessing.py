"""What evaluation does to images before the network sees them, as a layer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="cifar_keras")
class Preprocessing(keras.layers.Layer):
    """Raw images as evaluation normalises them: `(contrasted(x) - mean) * factor`, the centre.

    The same operations in the same order as `data.pipeline.evaluation_batches`, so that both give
    the same bits.

    Args:
        crop: side of the centre that is kept.
        contrast: the number of a global contrast normalisation, or None for none; see
            `data.statistics.contrast_terms`.
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
            shift, scale = _contrast_terms(inputs, self.contrast)
            x = (x - shift) * scale
        margin = (inputs.shape[1] - self.crop) // 2
        inner = slice(margin, margin + self.crop)
        mean, factor = np.asarray(self.mean, np.float32), np.asarray(self.factor, np.float32)
        return (x[:, inner, inner] - mean) * factor

    def get_config(self) -> dict[str, Any]:
        own = {"crop": self.crop, "contrast": self.contrast}
        return super().get_config() | own | {"mean": self.mean, "factor": self.factor}

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], self.crop, self.crop, 3)


def _contrast_terms(
    images: keras.KerasTensor, number: float
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    values = ops.cast(images, "float64")
    mean = ops.mean(values, axis=(1, 2, 3), keepdims=True)
    norm = ops.sqrt(ops.sum(ops.square(values - mean), axis=(1, 2, 3), keepdims=True))
    factor = number / ops.where(norm < 1e-8, ops.ones_like(norm), norm)
    return ops.cast(mean, "float32"), ops.cast(factor, "float32")


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

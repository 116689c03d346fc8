"""The preprocessing of evaluation as a layer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from cifar_keras.pixels import center, contrast_terms, normalize


@keras.saving.register_keras_serializable(package="cifar_keras")
class Preprocessing(keras.layers.Layer):
    """Preprocess raw images as evaluation does: contrast and color normalization, center crop.

    It runs the operations of `evaluation_batches` in the same order, so both are bit-identical.

    Args:
        crop: side of the center crop.
        contrast: the norm of each image after global contrast normalization (see
            `contrast_terms`), or None for no such normalization.
        mean: nested lists of shape (3,) or (crop, crop, 3).
        factor: three numbers.
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: uint8 or float, shape (batch, side, side, 3), values 0 to 255.

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
            x = normalize(x, mean, factor)
        mean, factor = np.asarray(self.mean, np.float32), np.asarray(self.factor, np.float32)
        return normalize(center(x, self.crop), mean, factor)

    def get_config(self) -> dict[str, Any]:
        own = {"crop": self.crop, "contrast": self.contrast}
        return super().get_config() | own | {"mean": self.mean, "factor": self.factor}

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (input_shape[0], self.crop, self.crop, 3)


@keras.saving.register_keras_serializable(package="cifar_keras")
class LikeliestName(keras.layers.Layer):
    """Return the name of the most likely class of each image.

    Args:
        names: one per class.
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: probabilities, shape (batch, classes).

    Returns:
        Strings, shape (batch,).
    """

    def __init__(self, names: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        # Keras' own operations do not support strings.
        return tf.gather(tf.constant(self.names), tf.argmax(inputs, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"names": self.names}

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:-1], dtype="string")

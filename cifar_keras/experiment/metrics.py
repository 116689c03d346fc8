"""Accuracy from integer or soft labels and logits."""

from typing import Any

import keras

from cifar_keras.experiment.losses import are_soft


@keras.saving.register_keras_serializable(package="cifar_keras")
class LabelAccuracy(keras.metrics.MeanMetricWrapper):
    """The fraction of images whose largest logit is that of their label.

    With soft labels, (B, classes), the class with the largest probability is the label. With
    integer labels this is Keras' SparseCategoricalAccuracy.
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(fn=_hits, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def _hits(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    y_true, y_pred = keras.ops.convert_to_tensor(y_true), keras.ops.convert_to_tensor(y_pred)
    if are_soft(y_true, y_pred):
        classes = keras.ops.argmax(y_true, axis=-1)
    else:
        classes = keras.ops.reshape(y_true, (-1,))
    found = keras.ops.argmax(y_pred, axis=-1)
    return keras.ops.equal(keras.ops.cast(classes, found.dtype), found)

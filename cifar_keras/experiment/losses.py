"""Cross-entropy with label smoothing, from integer or soft labels and logits."""

from typing import Any

import keras


def are_soft(labels: keras.KerasTensor, logits: keras.KerasTensor) -> bool:
    """Return whether labels are class probabilities (B, classes), not integers (B,) or (B, 1)."""
    return len(labels.shape) == 2 and labels.shape[-1] == logits.shape[-1]


@keras.saving.register_keras_serializable(package="cifar_keras")
class SmoothedCrossEntropy(keras.losses.Loss):
    """The batch's mean cross-entropy against `(1 - s) * one_hot + s / classes`, in nats.

    Soft labels, (B, classes), replace the one-hot labels. Keras' own sparse cross-entropy has no
    label smoothing.

    Args:
        label_smoothing: s above, at least 0 and below 1.
    """

    def __init__(self, label_smoothing: float, name: str = "cross_entropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        y_true, logs = keras.ops.convert_to_tensor(y_true), keras.ops.log_softmax(y_pred)
        if are_soft(y_true, y_pred):
            hit = keras.ops.sum(y_true * logs, axis=-1)
        else:
            hit = keras.ops.take_along_axis(logs, keras.ops.reshape(y_true, (-1, 1)), axis=-1)[:, 0]
        return -(1 - self.label_smoothing) * hit - self.label_smoothing * keras.ops.mean(logs, -1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"label_smoothing": self.label_smoothing}

"""An auxiliary classifier inside a network, used only in training."""

from math import prod
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="cifar_keras")
class Companion(keras.layers.Layer):
    """Return the inputs unchanged and, in training, also classify them.

    The logits `flatten(x) @ kernel + bias` are kept in `logits`. The training step reads them in
    the same trace and adds their loss, since `fit` does not support a second output for the same
    labels. They have the weights' type, which is float32 under mixed precision. Nothing is computed
    outside of training or while the layer is not trainable.

    Args:
        num_classes: how many logits.
        loss_weight: the factor of their loss, which is added to the network's own.
        kernel_initializer: for the kernel (values per input, classes). The bias starts at 0.
        **kwargs: see `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, ...). All sizes except the batch must be known.
        training: whether to classify.

    Returns:
        `inputs`.

    Raises:
        ValueError: the inputs' shape is not known when the layer is built.

    Reference:
        Lee, Xie, Gallagher, Zhang and Tu, Deeply-Supervised Nets, arXiv 1409.5185.
    """

    def __init__(
        self,
        num_classes: int,
        loss_weight: float,
        kernel_initializer: str | keras.initializers.Initializer,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes, self.loss_weight = num_classes, loss_weight
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.logits: keras.KerasTensor | None = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        sizes = [size for size in input_shape[1:] if size is not None]
        if len(sizes) < len(input_shape) - 1:
            raise ValueError(
                f"`inputs` must be of known shape. Received: input_shape={tuple(input_shape)}"
            )
        self.kernel = self.add_weight(
            (prod(sizes), self.num_classes),
            initializer=self.kernel_initializer,
            autocast=False,
            name="kernel",
        )
        self.bias = self.add_weight(
            (self.num_classes,), initializer="zeros", autocast=False, name="bias"
        )

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if training and self.trainable:
            flat = ops.cast(ops.reshape(inputs, (-1, self.kernel.shape[0])), self.kernel.dtype)
            self.logits = ops.matmul(flat, self.kernel) + self.bias
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "num_classes": self.num_classes,
            "loss_weight": self.loss_weight,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

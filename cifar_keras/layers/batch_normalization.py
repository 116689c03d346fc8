"""Batch normalisation in one kernel."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cifar_keras")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation over the last axis, through TensorFlow's fused kernel.

    The same function with the same variables: `gamma * (x - mean) / sqrt(variance + epsilon) +
    beta`, both statistics biased, `moving <- momentum * moving + (1 - momentum) * batch`. Keras
    writes it as separate operations on TensorFlow, which on a CPU takes half of a ResNet's step.
    Rounding differs in the last digits. Where the fused kernel does not reach (parameters that are
    not float32, synchronised replicas, masks, other ranks and axes, a layer without gamma or beta,
    renormalisation) Keras' own code runs.

    Args:
        momentum: the weight of the old statistic.
        epsilon: added to the variance.
        **kwargs: as of `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: (batch, channels) or (batch, height, width, channels).
        training: whether to use, and take up, the batch's statistics.

    Returns:
        A tensor shaped like `inputs`.

    Reference:
        Ioffe and Szegedy, arXiv 1502.03167.
    """

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        # The fused kernel takes float32 parameters whatever the inputs are.
        return super().add_weight(*args, **(kwargs | {"autocast": False}))

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        if mask is not None or not self._fits_the_kernel(inputs.shape.rank):
            return super().call(inputs, training=training, mask=mask)
        x = inputs if inputs.shape.rank == 4 else inputs[:, None, None, :]
        update = bool(training) and self.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=[] if update else self.moving_mean.value,
            variance=[] if update else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=update,
        )
        if update:
            # The kernel's variance is the unbiased one.
            count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), variance.dtype)
            self._take_up(self.moving_mean, mean)
            self._take_up(self.moving_variance, variance * ((count - 1) / count))
        return outputs if inputs.shape.rank == 4 else outputs[:, 0, 0, :]

    def _fits_the_kernel(self, rank: int) -> bool:
        return (
            rank in (2, 4)
            and self.axis in (-1, rank - 1)
            and self.variable_dtype == "float32"
            and self.scale
            and self.center
            and not self.synchronized
            and not getattr(self, "renorm", False)  # not in Keras 3.12
        )

    def _take_up(self, moving: keras.Variable, batch: tf.Tensor) -> None:
        moving.assign(moving.value * self.momentum + batch * (1 - self.momentum))

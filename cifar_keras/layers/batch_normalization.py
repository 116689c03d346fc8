"""Batch normalization in one kernel."""

from typing import Any

import keras
import tensorflow as tf

# cuDNN's minimum, CUDNN_BN_MIN_EPSILON, is 1e-5. This is slightly more, to be safe from rounding.
_CUDNN_EPSILON = 1.001e-5


@keras.saving.register_keras_serializable(package="cifar_keras")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization over the last axis, with TensorFlow's fused kernel.

    It computes the same function with the same variables: `gamma * (x - mean) / sqrt(variance +
    epsilon) + beta`, both statistics biased, `moving <- momentum * moving + (1 - momentum) *
    batch`. Results differ from Keras' only by rounding. On TensorFlow, Keras runs separate
    operations, which on a CPU take half of a ResNet's step.

    Keras' own code runs where the fused kernel cannot: parameters that are not float32,
    synchronized replicas, masks, other ranks and axes, renormalization, and, if there is a GPU,
    an epsilon too small for cuDNN.

    Args:
        momentum: the weight of the old statistic.
        epsilon: added to the variance.
        unbiased: whether to update the moving variance with the unbiased variance of the batch,
            as PyTorch does. The batch itself is always normalized by the biased variance.
        **kwargs: see `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: (batch, channels) or (batch, height, width, channels).
        training: whether to normalize by the batch's statistics and update the moving ones.

    Returns:
        A tensor shaped like `inputs`.

    Raises:
        ValueError: both `unbiased` and `renorm` are set.

    Reference:
        Ioffe and Szegedy, arXiv 1502.03167.
    """

    def __init__(self, *args: Any, unbiased: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if unbiased and self._renormalizes():
            raise ValueError(
                "`unbiased` is not defined under `renorm`. "
                f"Received: unbiased={unbiased}, renorm={self.renorm}"
            )
        self.unbiased = unbiased

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        # The fused kernel takes float32 parameters for inputs of any type.
        return super().add_weight(*args, **(kwargs | {"autocast": False}))

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        if mask is not None or not self._fits_the_kernel(inputs.shape.rank):
            return self._keras_call(inputs, training, mask)
        x = inputs if inputs.shape.rank == 4 else inputs[:, None, None, :]
        update = bool(training) and self.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            # The kernel requires both, even if the layer has neither.
            scale=self.gamma.value if self.scale else tf.ones(x.shape[-1:]),
            offset=self.beta.value if self.center else tf.zeros(x.shape[-1:]),
            mean=[] if update else self.moving_mean.value,
            variance=[] if update else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=update,
        )
        if update:
            self._update_moving(self.moving_mean, mean)
            # The kernel returns the unbiased variance.
            if not self.unbiased:
                count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), variance.dtype)
                variance *= (count - 1) / count
            self._update_moving(self.moving_variance, variance)
        return outputs if inputs.shape.rank == 4 else outputs[:, 0, 0, :]

    def _keras_call(
        self, inputs: tf.Tensor, training: bool | None, mask: tf.Tensor | None
    ) -> tf.Tensor:
        if not (self.unbiased and training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        kept = self.moving_variance.value * self.momentum
        outputs = super().call(inputs, training=training, mask=mask)
        # Keras added the biased variance. The unbiased one is 1 / (n - 1) of it larger.
        taken = self.moving_variance.value - kept
        count = self._count(inputs, mask)
        more = taken / tf.cast(tf.maximum(count - 1, 1), taken.dtype)
        self.moving_variance.assign(self.moving_variance.value + more)
        return outputs

    def _count(self, inputs: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        if mask is not None:
            return tf.math.count_nonzero(mask, dtype=tf.int32)
        count = tf.reduce_prod(tf.gather(tf.shape(inputs), self._reduction_axes))
        context = tf.distribute.get_replica_context()
        if self.synchronized and context is not None:
            count = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
        return count

    def _renormalizes(self) -> bool:
        return bool(getattr(self, "renorm", False))  # not in Keras 3.12

    def _fits_the_kernel(self, rank: int) -> bool:
        return (
            rank in (2, 4)
            and self.axis in (-1, rank - 1)
            and self.variable_dtype == "float32"
            and not self.synchronized
            and not self._renormalizes()
            and (self.epsilon >= _CUDNN_EPSILON or not tf.config.get_visible_devices("GPU"))
        )

    def _update_moving(self, moving: keras.Variable, batch: tf.Tensor) -> None:
        moving.assign(moving.value * self.momentum + batch * (1 - self.momentum))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"unbiased": self.unbiased}

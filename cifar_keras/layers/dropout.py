"""Dropout whose draws do not depend on the number of replicas."""

from typing import Any

import keras
import tensorflow as tf

from cifar_keras.layers.share import current_share, uniform


def _dropped(inputs: tf.Tensor, rate: float, noise_shape: Any, seeds: Any) -> tf.Tensor:
    sizes = tf.unstack(tf.shape(inputs))
    shape = [
        size if given is None else given
        for size, given in zip(sizes, noise_shape or [None] * len(sizes), strict=True)
    ]
    drawn = uniform(shape, seeds, inputs.dtype.name)
    kept = inputs * tf.constant(1 / (1 - rate), inputs.dtype)
    return tf.where(drawn >= tf.constant(rate, inputs.dtype), kept, tf.zeros([], inputs.dtype))


@keras.saving.register_keras_serializable(package="cifar_keras")
class Dropout(keras.layers.Dropout):
    """Keras' dropout; of a share of a batch, what one device would drop of the whole.

    Keras gives every replica the same noise (keras#20612).

    Reference:
        Srivastava et al., JMLR 15 (2014).
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training and 0 < self.rate < 1 and _parted():
            return _dropped(inputs, self.rate, self.noise_shape, self.seed_generator)
        return super().call(inputs, training=training)


@keras.saving.register_keras_serializable(package="cifar_keras")
class SpatialDropout2D(keras.layers.SpatialDropout2D):
    """Keras' dropout of whole channels; of a share of a batch, what one device would drop.

    Reference:
        Tompson et al., arXiv 1411.4280.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if training and 0 < self.rate < 1 and _parted():
            shape = self._get_noise_shape(inputs)
            return _dropped(inputs, self.rate, shape, self.seed_generator)
        return super().call(inputs, training=training)


def _parted() -> bool:
    context = tf.distribute.get_replica_context()
    return current_share() is not None or (context is not None and context.num_replicas_in_sync > 1)

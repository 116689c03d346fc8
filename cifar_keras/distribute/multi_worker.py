"""What Keras lacks to train under `MultiWorkerMirroredStrategy`."""

from typing import Any

import tensorflow as tf

from cifar_keras.private import Model, Step


class MultiWorkerModel(Model):
    """A model whose `fit` and `evaluate` run under `MultiWorkerMirroredStrategy`, too.

    Stock Keras fails there twice (keras#20585). Before the first step it averages a batch over the
    replicas, eagerly, to build the metrics; here a batch of zeros serves, which also spares one
    where the replicas' shares differ in size. And it averages each step's logs along their first
    axis, which scalars do not have; here they have one. The class can go once stock Keras trains
    there: `test_stock_keras_still_fails` will say so.
    """

    def before_first_batch(self) -> bool:
        """Build the metrics from a batch of zeros."""
        _, height, width, channels = self.input_shape
        images = tf.zeros((1, height or 32, width or 32, channels))
        with self.distribute_strategy.scope():
            self.build_state(images, tf.zeros((1,), tf.int32))
        return True

    def wrapped(self, step: Step) -> Step:
        """Return the step with logs of one axis, under several workers."""
        if not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return step

        def with_axis(data: Any) -> dict[str, tf.Tensor]:
            return {name: tf.reshape(log, (1,)) for name, log in step(data).items()}

        return with_axis

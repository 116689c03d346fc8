"""What Keras lacks for training under `MultiWorkerMirroredStrategy`."""

from typing import Any

import tensorflow as tf

from cifar_keras.private import Model, Step


class MultiWorkerModel(Model):
    """A model whose `fit` and `evaluate` also run under `MultiWorkerMirroredStrategy`.

    Stock Keras fails there twice (keras#20585):

    - Before the first step it averages a batch over the replicas, eagerly, to build the metrics.
      Here a batch of zeros builds them, which also works when the replicas' shards differ in size.
    - It averages each step's logs along their first axis, which scalars do not have. Here they have
      one.

    This class can be deleted when stock Keras trains there; `test_stock_keras_still_fails` will
    fail then.
    """

    def before_first_batch(self) -> bool:
        """Build the metrics from a batch of zeros."""
        _, height, width, channels = self.input_shape
        images = tf.zeros((1, height or 32, width or 32, channels))
        with self.distribute_strategy.scope():
            self.build_state(images, tf.zeros((1,), tf.int32))
        return True

    def wrapped(self, step: Step) -> Step:
        """Return the step; with several workers its logs get an axis."""
        if not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return step

        def with_axis(data: Any) -> dict[str, tf.Tensor]:
            return {name: tf.reshape(log, (1,)) for name, log in step(data).items()}

        return with_axis

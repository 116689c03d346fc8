"""What Keras lacks to train under `MultiWorkerMirroredStrategy`."""

from typing import Any

import keras
import tensorflow as tf


class MultiWorkerModel(keras.Model):
    """A model whose `fit` and `evaluate` run under `MultiWorkerMirroredStrategy`, too.

    Stock Keras fails there twice (keras#20585). Before the first step it averages a batch over the
    replicas, eagerly, to build the metrics; here a batch of zeros serves, which also spares one
    where the replicas' shares differ in size. And it averages each step's logs along their first
    axis, which scalars do not have; here they have one. The class can go once stock Keras trains
    there: `test_stock_keras_still_fails` will say so.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        _, height, width, channels = self.input_shape
        images = tf.zeros((1, height or 32, width or 32, channels))
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=(images, tf.zeros((1,), tf.int32)))

    def _make_function(self, step_function: Any) -> Any:
        strategy = self.distribute_strategy
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return super()._make_function(step_function)

        def step(data: Any) -> dict[str, tf.Tensor]:
            return {name: tf.reshape(log, (1,)) for name, log in step_function(data).items()}

        return super()._make_function(step)

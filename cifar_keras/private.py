"""Every name that Keras and TensorFlow keep private and this package needs, under a public one.

Such names may change with any version: setup.cfg allows the versions that were tested, and
tests/test_private.py fails where one has moved.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops import control_flow_util
from tensorflow.python.util import _pywrap_util_port

Step = Callable[[Any], Any]


class Model(keras.Model):
    """`keras.Model` with public names for parts of its `fit` and `evaluate`."""

    @property
    def loss_mean(self) -> keras.metrics.Mean:
        """The mean loss of the epoch, which `compile` makes."""
        return self._loss_tracker

    def loop(self, step: Step) -> Step:
        """Return the compiled function from an iterator over batches to a step's logs."""
        loop: Step = self._make_function(step)
        return loop

    def wrapped(self, step: Step) -> Step:
        """Return what is compiled in place of a step; here, the step."""
        return step

    def build_state(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        """Build the metrics from a batch, without computing anything."""
        self._symbolic_build(data_batch=(images, labels))

    def before_first_batch(self) -> bool:
        """Build what `fit` and `evaluate` need; return False to leave it to Keras, as here."""
        return False

    def _make_function(self, step_function: Step) -> Step:
        function: Step = super()._make_function(self.wrapped(step_function))
        return function

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if not self.before_first_batch():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


def variable_index(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> int:
    """Return the variable's place among those that the optimizer was built with."""
    index: int = optimizer._get_variable_index(variable)
    return index


def in_xla() -> bool:
    """Return whether what is traced at present will be compiled by XLA."""
    graph = tf.compat.v1.get_default_graph()
    found: bool = control_flow_util.GraphOrParentsInXlaContext(graph)
    return found


def uses_onednn() -> bool:
    """Return whether TensorFlow uses oneDNN's kernels.

    Unset, TF_ENABLE_ONEDNN_OPTS means yes on some processors and no on others, and TensorFlow reads
    it only once.
    """
    on: bool = _pywrap_util_port.IsMklEnabled()
    return on

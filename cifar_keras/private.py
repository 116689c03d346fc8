"""Public names for the private names of Keras and TensorFlow that this package needs.

Private names may change with any version. setup.cfg allows only tested versions, and
tests/test_private.py fails if a name has changed.
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
        """The mean loss of the epoch, which `compile` creates."""
        return self._loss_tracker

    def loop(self, step: Step) -> Step:
        """Return the compiled function from an iterator over batches to a step's logs."""
        loop: Step = self._make_function(step)
        return loop

    def wrapped(self, step: Step) -> Step:
        """Return the function to compile instead of a step; here the step itself."""
        return step

    def build_state(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        """Build the metrics from a batch, without computing anything."""
        self._symbolic_build(data_batch=(images, labels))

    def before_first_batch(self) -> bool:
        """Build what `fit` and `evaluate` need; return False to let Keras do it, as here."""
        return False

    def _make_function(self, step_function: Step) -> Step:
        function: Step = super()._make_function(self.wrapped(step_function))
        return function

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        if not self.before_first_batch():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)


def variable_index(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> int:
    """Return the variable's index among those that the optimizer was built with."""
    index: int = optimizer._get_variable_index(variable)
    return index


def in_xla() -> bool:
    """Return whether XLA will compile the function that is being traced."""
    graph = tf.compat.v1.get_default_graph()
    found: bool = control_flow_util.GraphOrParentsInXlaContext(graph)
    return found


def uses_onednn() -> bool:
    """Return whether TensorFlow uses oneDNN's kernels.

    The variable TF_ENABLE_ONEDNN_OPTS does not tell: TensorFlow reads it only once, and if it is
    unset the default depends on the processor.
    """
    on: bool = _pywrap_util_port.IsMklEnabled()
    return on

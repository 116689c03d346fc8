"""Loss scaling, without which float16 loses small gradients."""

from collections.abc import Sequence
from math import log2
from typing import Any

import keras
import tensorflow as tf

# The exponent of the initial scale, including the inner optimizer's factor: Keras' 2 ** 15.
_INITIAL = 15


@keras.saving.register_keras_serializable(package="cifar_keras")
class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Keras' dynamic loss scaling, also for optimizers that scale the loss and several replicas.

    Gradients are computed of the loss times the scale, and divided by the scale in float32. If one
    is not finite, the step is skipped: only batch statistics change, and the scale is halved. After
    every `dynamic_growth_steps` other steps it is doubled.

    It differs from Keras in two ways:

    - The inner optimizer's own factor of the loss, such as the `loss_factor` of `CoupledSGD`, is
      applied, which Keras forgets. The initial scale is smaller by about this factor, since both
      together may overflow.
    - All replicas skip a step if one of them has a gradient that is not finite. Keras checks only
      the first replica, before gradients are summed.

    Args:
        inner_optimizer: the optimizer that gets the gradients.
        initial_scale: None for 2 ** 15 divided by the inner optimizer's `loss_factor`, if it has
            one, rounded to a power of 2.
        **kwargs: see `keras.optimizers.LossScaleOptimizer`.

    Reference:
        Micikevicius et al., Mixed Precision Training, arXiv 1710.03740.
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer,
        initial_scale: float | None = None,
        **kwargs: Any,
    ) -> None:
        if initial_scale is None:
            factor = getattr(inner_optimizer, "loss_factor", 1)
            initial_scale = 2.0 ** (_INITIAL - round(log2(factor)))
        super().__init__(inner_optimizer, initial_scale, **kwargs)

    def scale_loss(self, loss: keras.KerasTensor) -> keras.KerasTensor:
        return super().scale_loss(self.inner_optimizer.scale_loss(loss))

    def check_finite(self, grads: Sequence[tf.Tensor | None]) -> tf.Tensor:
        finite = super().check_finite(grads)
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return finite
        infinite = tf.cast(tf.logical_not(finite), tf.float32)
        return tf.equal(context.all_reduce(tf.distribute.ReduceOp.SUM, infinite), 0.0)


def reset_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Reset a built optimizer: all variables to 0, and a loss scale to its initial value."""
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.dynamic_scale.assign(optimizer.initial_scale)

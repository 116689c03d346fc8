"""Loss scaling, without which float16 loses small gradients."""

from collections.abc import Sequence
from math import log2
from typing import Any

import keras
import tensorflow as tf

# Of what the loss is multiplied by at first, all in all: Keras' own, 2 to the power of 15.
_INITIAL = 15


@keras.saving.register_keras_serializable(package="cifar_keras")
class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Keras' dynamic loss scaling, for optimizers with a factor of their own and several replicas.

    Gradients are those of the loss times the scale, and divided by it in float32. Where one is not
    finite, the step changes nothing but statistics and the scale, which is halved; it is doubled
    after every `dynamic_growth_steps` others. What the inner optimizer makes of the loss, such as
    the `loss_factor` of `CoupledSGD`, is made of it here, too, where Keras forgets it; the scale
    begins smaller by about as much, since both together may overflow. All replicas skip a step of
    which one has a gradient that is not finite; Keras asks the first alone, before gradients are
    summed.

    Args:
        inner_optimizer: what is given the gradients.
        initial_scale: None for 2 ** 15 over the inner optimizer's `loss_factor`, if it has one, as
            a power of 2.
        **kwargs: as of `keras.optimizers.LossScaleOptimizer`.

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


def start_anew(optimizer: keras.optimizers.Optimizer) -> None:
    """Set every variable of a built optimizer to 0, as it began, and a loss scale to its first."""
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.dynamic_scale.assign(optimizer.initial_scale)

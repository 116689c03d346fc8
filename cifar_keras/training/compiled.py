"""A recipe's network with its optimizer, loss and metric, ready for `fit`."""

import keras
import tensorflow as tf

from cifar_keras.models import build_model
from cifar_keras.optimizers import CoupledSGD
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.schema import Sgd
from cifar_keras.training.losses import SmoothedCrossEntropy


def compiled_model(recipe: Recipe, seed: int, strategy: tf.distribute.Strategy) -> keras.Model:
    """The recipe's network with its initial weights of this seed, ready for `fit`."""
    keras.utils.set_random_seed(seed)
    gpus = [name for name in strategy.extended.worker_devices if "GPU" in name]
    with strategy.scope():
        model = build_model(
            recipe.model.name,
            recipe.input_shape,
            recipe.num_classes,
            recipe.model.arguments,
        )
        optimizer = make_optimizer(recipe)
        optimizer.build(model.trainable_variables)
        model.compile(
            optimizer=optimizer,
            loss=SmoothedCrossEntropy(recipe.label_smoothing),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            # XLA is slower than oneDNN on CPUs and fails on several replicas.
            jit_compile=len(gpus) == 1,
        )
    return model


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's optimizer; the scheduler sets its rate."""
    chosen = recipe.optimizer
    if isinstance(chosen, Sgd):
        return CoupledSGD(
            momentum=chosen.momentum,
            nesterov=chosen.nesterov,
            coupled_decay=chosen.weight_decay,
            decayed=chosen.decayed,
        )
    return keras.optimizers.Adadelta(rho=chosen.rho, epsilon=chosen.epsilon)

"""A recipe's network with its optimizer, loss and metric, ready for `fit`."""

import keras
import tensorflow as tf

from cifar_keras.errors import DeviceError, RecipeError
from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.experiment.metrics import LabelAccuracy
from cifar_keras.experiment.model import TrainingModel
from cifar_keras.experiment.network import build_network
from cifar_keras.experiment.optimizers import make_optimizer
from cifar_keras.models.resnext import check_gradients_on_cpu
from cifar_keras.recipe import Recipe
from cifar_keras.schedules import Pace


def compiled_model(
    recipe: Recipe, seed: int, strategy: tf.distribute.Strategy, pace: Pace, jit: str = "auto"
) -> TrainingModel:
    """Return the recipe's network with the seed's initial weights, ready for `fit`.

    Raises:
        RecipeError: the network cannot be built, or a pattern of the recipe matches nothing in it.
        DeviceError: it cannot be trained on a CPU because oneDNN is off, or `jit` is not possible.
    """
    compiled = uses_jit(jit, strategy)
    keras.utils.set_random_seed(seed)
    gpus = [name for name in strategy.extended.worker_devices if "GPU" in name]
    with strategy.scope():
        network = build_network(recipe)
        if not gpus:
            check_gradients_on_cpu(network)
        model = TrainingModel(network.inputs[0], network.outputs[0], name=network.name)
        optimizer = make_optimizer(recipe, pace)
        try:
            optimizer.build(model.trainable_variables)
            for stage in recipe.stages:
                model.freeze(stage.frozen)
        except ValueError as error:
            raise RecipeError(f"model '{recipe.model.name}': {error}") from None
        model.freeze(recipe.stages[0].frozen)
        if strategy.num_replicas_in_sync > 1 and recipe.batch_norm == "synchronized":
            for layer in model.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True
        model.compile(
            optimizer=optimizer,
            loss=SmoothedCrossEntropy(recipe.label_smoothing),
            metrics=[LabelAccuracy()],
            auto_scale_loss=False,
            jit_compile=compiled,
        )
    if jit == "on" and not model.jit_compile:
        raise DeviceError(
            "--jit on: Keras does not compile deterministic operations, which are on in this "
            "process; start a new process, or use auto"
        )
    return model


def uses_jit(choice: str, strategy: tf.distribute.Strategy) -> bool:
    """Return whether XLA compiles the steps; `auto` means on a single GPU only.

    On CPUs XLA is slower than oneDNN.

    Raises:
        DeviceError: the choice is `on` with several replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if choice == "on" and replicas > 1:
        # keras#18145.
        raise DeviceError(f"--jit on: XLA fails on several replicas, here {replicas}; use auto")
    if choice == "auto":
        return replicas == 1 and "GPU" in strategy.extended.worker_devices[0]
    return choice == "on"

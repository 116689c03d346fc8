"""A recipe's network with its optimizer, loss and metric, ready for `fit`."""

from typing import Any

import keras
import tensorflow as tf

from cifar_keras.errors import DeviceError, RecipeError
from cifar_keras.experiment.jit import uses_jit
from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.experiment.metrics import LabelAccuracy
from cifar_keras.experiment.model import TrainingModel
from cifar_keras.experiment.network import build_network
from cifar_keras.loss_scale import LossScaleOptimizer
from cifar_keras.models.resnext import check_gradients_on_cpu
from cifar_keras.optimizers import CoupledSGD, MuonSGD, VariableGroup
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.optimizer import Adadelta, Group, Inverse, LinearToZero, Muon, Sgd, Until
from cifar_keras.schedules import step_of


def compiled_model(
    recipe: Recipe,
    seed: int,
    strategy: tf.distribute.Strategy,
    per_epoch: int,
    budget: str = "1",
    jit: str = "auto",
) -> TrainingModel:
    """The recipe's network with its initial weights of this seed, ready for `fit`.

    Raises:
        RecipeError: the network cannot be built, or a pattern of the recipe matches nothing in it.
        DeviceError: it cannot be trained on a CPU, oneDNN being off, or `jit` is not possible.
    """
    compiled = uses_jit(jit, strategy)
    keras.utils.set_random_seed(seed)
    gpus = [name for name in strategy.extended.worker_devices if "GPU" in name]
    with strategy.scope():
        network = build_network(recipe)
        if not gpus:
            check_gradients_on_cpu(network)
        model = TrainingModel(network.inputs[0], network.outputs[0], name=network.name)
        optimizer = make_optimizer(recipe, per_epoch, budget)
        try:
            optimizer.build(model.trainable_variables)
            for stage in recipe.stages:
                model.freeze(stage.frozen)
        except ValueError as error:
            raise RecipeError(f"model '{recipe.model.name}': {error}") from None
        model.freeze(recipe.stages[0].frozen)
        if strategy.num_replicas_in_sync > 1 and recipe.batch_norm == "synchronized":
            synchronize(model)
        model.compile(
            optimizer=optimizer,
            loss=SmoothedCrossEntropy(recipe.label_smoothing),
            metrics=[LabelAccuracy()],
            auto_scale_loss=False,
            jit_compile=compiled,
        )
    if jit == "on" and not model.jit_compile:
        raise DeviceError(
            "--jit on: Keras does not compile deterministic operations, which this process has; "
            "start a new one, or use auto"
        )
    return model


def synchronize(model: keras.Model) -> None:
    """Let every batch normalisation take the statistics of all replicas' images together."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def make_optimizer(recipe: Recipe, per_epoch: int, budget: str = "1") -> keras.optimizers.Optimizer:
    """The recipe's optimizer, with loss scaling for float16; the scheduler sets its rate."""
    optimizer = _make_optimizer(recipe, per_epoch, budget)
    return LossScaleOptimizer(optimizer) if recipe.precision == "mixed_float16" else optimizer


def _make_optimizer(recipe: Recipe, per_epoch: int, budget: str) -> keras.optimizers.Optimizer:
    chosen = recipe.optimizer
    if isinstance(chosen, Adadelta):
        return keras.optimizers.Adadelta(rho=chosen.rho, epsilon=chosen.epsilon)
    sgd = chosen.others if isinstance(chosen, Muon) else chosen
    arguments = _sgd_arguments(sgd, per_epoch, budget)
    if isinstance(chosen, Muon):
        return MuonSGD(
            chosen.variables,
            chosen.rate,
            chosen.momentum,
            chosen.newton_schulz_steps,
            **arguments,
        )
    return CoupledSGD(**arguments)


def _sgd_arguments(sgd: Sgd, per_epoch: int, budget: str) -> dict[str, Any]:
    return {
        "momentum": sgd.momentum,
        "nesterov": sgd.nesterov,
        "coupled_decay": sgd.weight_decay,
        "decayed": sgd.decayed,
        "form": sgd.form,
        "loss_factor": sgd.loss_factor,
        "groups": [_group(group, per_epoch, budget) for group in sgd.groups],
    }


def _group(group: Group, per_epoch: int, budget: str) -> VariableGroup:
    schedule = group.schedule
    more: dict[str, Any] = {}
    if isinstance(schedule, (Until, LinearToZero)):
        more["steps"] = step_of(schedule.epochs, per_epoch, budget)
    if isinstance(schedule, Inverse):
        more |= {"gamma": schedule.gamma, "power": schedule.power}
    return VariableGroup(
        group.variables,
        group.rate,
        group.weight_decay,
        linear=isinstance(schedule, LinearToZero),
        **more,
    )

"""Build the optimizer from a recipe's optimizer section."""

from collections.abc import Callable
from typing import Any

import keras

from cifar_keras.loss_scale import LossScaleOptimizer
from cifar_keras.optimizers import CoupledSGD, MuonSGD, VariableGroup
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.optimizer import Adadelta, Group, Muon, Sgd
from cifar_keras.schedules import Pace


def make_optimizer(recipe: Recipe, pace: Pace) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer, with loss scaling for float16.

    Its learning rate is set later, by the scheduler.
    """
    optimizer = _BUILDERS[recipe.optimizer.name](recipe.optimizer, pace)
    return LossScaleOptimizer(optimizer) if recipe.precision == "mixed_float16" else optimizer


def _adadelta(section: Adadelta, pace: Pace) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adadelta(rho=section.rho, epsilon=section.epsilon)


def _sgd(section: Sgd, pace: Pace) -> keras.optimizers.Optimizer:
    return CoupledSGD(**_sgd_arguments(section, pace))


def _muon(section: Muon, pace: Pace) -> keras.optimizers.Optimizer:
    return MuonSGD(
        section.variables,
        section.rate,
        section.momentum,
        section.newton_schulz_steps,
        **_sgd_arguments(section.others, pace),
    )


# By the `name` in the section.
_BUILDERS: dict[str, Callable[[Any, Pace], keras.optimizers.Optimizer]] = {
    "adadelta": _adadelta,
    "muon": _muon,
    "sgd": _sgd,
}


def _sgd_arguments(sgd: Sgd, pace: Pace) -> dict[str, Any]:
    return {
        "momentum": sgd.momentum,
        "nesterov": sgd.nesterov,
        "coupled_decay": sgd.weight_decay,
        "decayed": sgd.decayed,
        "form": sgd.form,
        "loss_factor": sgd.loss_factor,
        "groups": [_group(group, pace) for group in sgd.groups],
    }


# The arguments of `VariableGroup` for each kind of schedule.
_SCHEDULES: dict[str, Callable[[Any, Pace], dict[str, Any]]] = {
    "until": lambda schedule, pace: {"steps": pace.step_of(schedule.epochs)},
    "linear": lambda schedule, pace: {"steps": pace.step_of(schedule.epochs), "linear": True},
    "inverse": lambda schedule, _: {"gamma": schedule.gamma, "power": schedule.power},
}


def _group(group: Group, pace: Pace) -> VariableGroup:
    more = {}
    if group.schedule != "follow":
        more = _SCHEDULES[group.schedule.kind](group.schedule, pace)
    return VariableGroup(group.variables, group.rate, group.weight_decay, **more)

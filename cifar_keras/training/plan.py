"""A recipe in steps: its stages, and the calls of `fit` that they come to."""

from dataclasses import dataclass

from cifar_keras.errors import RunError
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.schema import Start
from cifar_keras.schedules import Rate, step_of
from cifar_keras.schedules import build as build_schedule


@dataclass(frozen=True)
class StagePlan:
    """A stage in steps: how many, how many come before it, its rate, and where it starts from."""

    steps: int
    steps_before: int
    rate: Rate
    by_epoch: bool
    start: tuple[int, int] | None


def plan(recipe: Recipe, per_epoch: int, budget: str) -> list[StagePlan]:
    """The recipe's stages at this budget.

    Raises:
        RunError: a stage would have no step.
    """
    if per_epoch < 1:
        raise RunError("the training set is smaller than one batch; lower data.batch_size")
    stages: list[StagePlan] = []
    for number, stage in enumerate(recipe.stages, start=1):
        steps = step_of(stage.epochs, per_epoch, budget)
        if steps < 1:
            raise RunError(f"--budget {budget} leaves stage {number} no step; take a larger one")
        rate, by_epoch = build_schedule(stage.schedule, stage.epochs, per_epoch, budget)
        start = None
        if isinstance(stage.start, Start):
            start = (stage.start.stage - 1, step_of(stage.start.epoch, per_epoch, budget))
        stages.append(StagePlan(steps, sum(s.steps for s in stages), rate, by_epoch, start))
    return stages


@dataclass(frozen=True)
class Leg:
    """Consecutive epochs of the same number of steps: one call of `fit`."""

    first_step: int
    steps_per_epoch: int
    first_epoch: int
    last_epoch: int


def legs(first_step: int, total_steps: int, per_epoch: int) -> list[Leg]:
    """The calls of `fit` that lead from `first_step` to `total_steps`.

    A whole run is one leg; what is left of an interrupted epoch, and a last epoch that is a
    fraction, are legs of their own, since `fit` takes one length for all its epochs.
    """
    plan: list[Leg] = []
    step = first_step
    while step < total_steps:
        epoch, inside = divmod(step, per_epoch)
        whole = (total_steps - step) // per_epoch
        if inside or not whole:
            length, whole = min(per_epoch - inside, total_steps - step), 1
        else:
            length = per_epoch
        plan.append(Leg(step, length, epoch, epoch + whole))
        step += length * whole
    return plan

"""A recipe in steps: its stages, and the calls of `fit` that they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cifar_keras.errors import RunError
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.schema import Start
from cifar_keras.schedules import Rate, sizes, step_of
from cifar_keras.schedules import build as build_schedule


@dataclass(frozen=True)
class StagePlan:
    """A stage in steps: how many, how many come before it, its rate, and where it starts from.

    `frozen` are the patterns of the layers that are not trained in it; `size` is the side of the
    images at each step, None where it never changes.
    """

    steps: int
    steps_before: int
    rate: Rate
    by_epoch: bool
    start: tuple[int, int] | None
    frozen: tuple[str, ...] = ()
    size: Callable[[int], int] | None = None


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
        before = sum(s.steps for s in stages)
        size = sizes(recipe.data.sizes, steps) if recipe.data.sizes else None
        stages.append(StagePlan(steps, before, rate, by_epoch, start, tuple(stage.frozen), size))
    return stages


def work(stages: Sequence[StagePlan]) -> list[float]:
    """How much is done before each step of the run, and at its end, in units of its dearest step.

    A step on smaller images costs less, but not by the number of their pixels: on two cores 20 and
    24 pixels took 0.51 and 0.64 of the time of 32, which is the side to the power of 1.5.
    """
    costs: list[float] = []
    for stage in stages:
        if stage.size is None:
            costs += [1.0] * stage.steps
        else:
            largest = stage.size(stage.steps - 1)
            costs += [(stage.size(step) / largest) ** 1.5 for step in range(stage.steps)]
    return list(accumulate(costs, initial=0.0))


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

"""Pure functions from a step to a learning rate, and from epochs to steps.

Epochs are counted from 0, as are steps; an epoch e starts at step `step_of(e)`. All boundaries are
held in steps, so that a run scaled to a part of its length keeps the shape of its schedule.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil

from cifar_keras.recipe import Data
from cifar_keras.recipe.schema import Constant, Linear, Steps

Rate = Callable[[int], float]


def steps_per_epoch(data: Data, images: int) -> int:
    """Batches in one pass over `images` training images."""
    if data.last_batch == "drop":
        return images // data.batch_size
    return ceil(Fraction(images, data.batch_size))


def step_of(epoch: float | Fraction, per_epoch: int, budget: str = "1") -> int:
    """The first step at or after `epoch * budget`; `budget` is decimal text, hence exact."""
    return ceil(Fraction(str(epoch)) * Fraction(budget) * per_epoch)


def constant(learning_rate: float) -> Rate:
    """The same rate at every step."""
    return lambda step: learning_rate


def steps(learning_rates: Sequence[float], boundaries: Sequence[int]) -> Rate:
    """The rate numbered by how many of `boundaries` (in steps) are reached."""
    return lambda step: learning_rates[bisect_right(boundaries, step)]


def linear(learning_rate: float, knots: Sequence[Sequence[float]], total_steps: int) -> Rate:
    """`learning_rate` times the straight lines between `knots`, (share of steps, share of rate)."""

    def rate(step: int) -> float:
        place = step / total_steps
        for (left, low), (right, high) in pairwise(knots):
            if place <= right:
                return learning_rate * (low + (high - low) * (place - left) / (right - left))
        return learning_rate * knots[-1][1]

    return rate


def build(
    schedule: Constant | Steps | Linear, epochs: float, per_epoch: int, budget: str = "1"
) -> tuple[Rate, bool]:
    """The rate at each step of a stage, and whether it changes only where epochs begin."""
    if isinstance(schedule, Constant):
        return constant(schedule.learning_rate), True
    if isinstance(schedule, Steps):
        boundaries = [step_of(epoch, per_epoch, budget) for epoch in schedule.boundaries]
        by_epoch = all(boundary % per_epoch == 0 for boundary in boundaries)
        return steps(schedule.learning_rates, boundaries), by_epoch
    total = step_of(epochs, per_epoch, budget)
    return linear(schedule.learning_rate, schedule.knots, total), False


def sizes(pairs: Sequence[Sequence[float]], total_steps: int) -> Callable[[int], int]:
    """The side of the images at each step, from pairs (share of the steps up to which, side)."""
    boundaries = [step_of(share, total_steps) for share, _ in pairs]
    return lambda step: int(pairs[min(bisect_right(boundaries, step), len(pairs) - 1)][1])

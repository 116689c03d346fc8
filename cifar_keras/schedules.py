"""Pure functions from a step to a learning rate, and from epochs to steps.

Epochs and steps are counted from 0. All boundaries are in steps, so that a shortened run keeps the
shape of its schedule.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from math import ceil

from cifar_keras.recipe import Data
from cifar_keras.recipe.schema import Constant, Linear, Steps

Rate = Callable[[int], float]


def steps_per_epoch(data: Data, images: int) -> int:
    """Return the number of batches in one epoch of `images` training images."""
    if data.last_batch == "drop":
        return images // data.batch_size
    return ceil(Fraction(images, data.batch_size))


@dataclass(frozen=True)
class Pace:
    """Converts epochs to steps: steps per epoch, and the budget as decimal text, so it is exact."""

    per_epoch: int
    budget: str = "1"

    def step_of(self, epoch: float | Fraction) -> int:
        """Return the first step at or after `epoch * budget`."""
        return ceil(Fraction(str(epoch)) * Fraction(self.budget) * self.per_epoch)


def tested_epochs(stages: Sequence[int], per_epoch: int) -> Iterator[tuple[int, int, float]]:
    """Yield the position of each row of a history.

    Args:
        stages: the number of steps of each stage.
        per_epoch: steps per epoch.

    Yields:
        The stage (from 1), the step in it, and the epochs since the start of the run, rounded to
        nine digits as in history.csv.
    """
    before = 0
    for number, steps in enumerate(stages, start=1):
        for step in chain(range(per_epoch, steps, per_epoch), [steps]):
            yield number, step, float(f"{(before + step) / per_epoch:.9g}")
        before += steps


def is_tested(number: int, epochs: int, every: int) -> bool:
    """Return whether a run evaluates the test images after an epoch.

    It always does after the last epoch, which gives the run's result.

    Args:
        number: of the epoch, from 1.
        epochs: how many the run has.
        every: test after every so many epochs; 0 for the last only.
    """
    return number == epochs or (every > 0 and number % every == 0)


def constant(learning_rate: float) -> Rate:
    """Return a schedule with the same learning rate at every step."""
    return lambda step: learning_rate


def steps(learning_rates: Sequence[float], boundaries: Sequence[int]) -> Rate:
    """Return a schedule that takes the next of `learning_rates` at each of `boundaries` (steps)."""
    return lambda step: learning_rates[bisect_right(boundaries, step)]


def linear(learning_rate: float, knots: Sequence[Sequence[float]], total_steps: int) -> Rate:
    """Return a piecewise linear schedule.

    Args:
        learning_rate: the rate that `knots` are fractions of.
        knots: (fraction of steps, fraction of the learning rate).
        total_steps: the length of the schedule.
    """

    def rate(step: int) -> float:
        place = step / total_steps
        for (left, low), (right, high) in pairwise(knots):
            if place <= right:
                return learning_rate * (low + (high - low) * (place - left) / (right - left))
        return learning_rate * knots[-1][1]

    return rate


def build(schedule: Constant | Steps | Linear, epochs: float, pace: Pace) -> Rate:
    """Return the learning rate at each step of a stage of so many epochs."""
    if isinstance(schedule, Constant):
        return constant(schedule.learning_rate)
    if isinstance(schedule, Steps):
        boundaries = [pace.step_of(epoch) for epoch in schedule.boundaries]
        return steps(schedule.learning_rates, boundaries)
    return linear(schedule.learning_rate, schedule.knots, pace.step_of(epochs))

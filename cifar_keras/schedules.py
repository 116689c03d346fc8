"""Pure functions from a step to a learning rate, and from epochs to steps.

Epochs are counted from 0, as are steps. All boundaries are held in steps, so that a run scaled to a
part of its length keeps the shape of its schedule.
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
    """Batches in one pass over `images` training images."""
    if data.last_batch == "drop":
        return images // data.batch_size
    return ceil(Fraction(images, data.batch_size))


@dataclass(frozen=True)
class Pace:
    """How epochs become steps: steps an epoch, and the budget as decimal text, hence exact."""

    per_epoch: int
    budget: str = "1"

    def step_of(self, epoch: float | Fraction) -> int:
        """Return the first step at or after `epoch * budget`."""
        return ceil(Fraction(str(epoch)) * Fraction(self.budget) * self.per_epoch)


def tested_epochs(stages: Sequence[int], per_epoch: int) -> Iterator[tuple[int, int, float]]:
    """Yield where each row of a history is: stage from 1, step in it, and epochs since the start.

    `stages` are the steps of each stage. The epochs have the nine digits of history.csv.
    """
    before = 0
    for number, steps in enumerate(stages, start=1):
        for step in chain(range(per_epoch, steps, per_epoch), [steps]):
            yield number, step, float(f"{(before + step) / per_epoch:.9g}")
        before += steps


def is_tested(number: int, epochs: int, every: int) -> bool:
    """Return whether a run tests after its epoch `number`, from 1, of so many.

    It does after every so many epochs, and always after the last, whose test is the run's result;
    after that one only where `every` is 0.
    """
    return number == epochs or (every > 0 and number % every == 0)


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


def build(schedule: Constant | Steps | Linear, epochs: float, pace: Pace) -> Rate:
    """Return the rate at each step of a stage of so many epochs."""
    if isinstance(schedule, Constant):
        return constant(schedule.learning_rate)
    if isinstance(schedule, Steps):
        boundaries = [pace.step_of(epoch) for epoch in schedule.boundaries]
        return steps(schedule.learning_rates, boundaries)
    return linear(schedule.learning_rate, schedule.knots, pace.step_of(epochs))

"""A recipe in steps: its stages at a budget, and the calls of `fit` for them."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from cifar_keras.errors import RunError
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.schema import Stage as Section
from cifar_keras.recipe.schema import Start
from cifar_keras.schedules import Pace, Rate, build, steps_per_epoch


@dataclass
class Place:
    """How far a run is trained: `step` steps of stage `stage` (from 0) are done."""

    stage: int = 0
    step: int = 0


@dataclass(frozen=True)
class Stage:
    """A stage in steps.

    Attributes:
        steps: how many.
        steps_before: how many steps earlier stages have.
        rate: the learning rate at each step.
        start: (stage, step) of the weights to start from; None to start from scratch.
        frozen: patterns of the layers that are not trained.
        sizes: pairs (end step, side of the images before it); empty if the side never changes.
    """

    steps: int
    steps_before: int
    rate: Rate
    start: tuple[int, int] | None = None
    frozen: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()

    def size(self, step: int) -> int | None:
        """Return the side of the images at a step; None if it never changes."""
        if not self.sizes:
            return None
        return self.sizes[bisect_right(self.sizes[:-1], step, key=lambda pair: pair[0])][1]

    def work(self, step: int) -> float:
        """Return the work before a step, in units of the stage's most expensive step.

        A step on smaller images is cheaper, but not in proportion to their pixels. On two cores,
        sides of 20 and 24 pixels took 0.51 and 0.64 of the time of 32, which is about the side to
        the power of 1.5.
        """
        if not self.sizes:
            return step
        done, begin, largest = 0.0, 0, self.sizes[-1][1]
        for end, side in self.sizes:
            done += max(0, min(end, step) - begin) * (side / largest) ** 1.5
            begin = end
        return done


@dataclass(frozen=True)
class Leg:
    """Consecutive epochs of a stage with the same number of steps: one call of `fit`."""

    stage: Stage
    first_step: int
    steps_per_epoch: int
    first_epoch: int
    last_epoch: int


class Plan:
    """The stages of a recipe for a number of training images, with all epochs times the budget.

    Raises:
        RunError: an epoch or a stage would have no step.
    """

    def __init__(self, recipe: Recipe, images: int, budget: str = "1") -> None:
        self.pace = Pace(steps_per_epoch(recipe.data, images), budget)
        if self.pace.per_epoch < 1:
            raise RunError("the training set is smaller than one batch; lower data.batch_size")
        self.stages: list[Stage] = []
        for section in recipe.stages:
            self.stages.append(self._stage(section, recipe.data.sizes))

    def _stage(self, section: Section, sizes: list[list[float]]) -> Stage:
        steps = self.pace.step_of(section.epochs)
        if steps < 1:
            budget, number = self.pace.budget, len(self.stages) + 1
            raise RunError(
                f"--budget {budget} leaves stage {number} without a step; use a larger one"
            )
        start = section.start
        return Stage(
            steps=steps,
            steps_before=self.steps,
            rate=build(section.schedule, section.epochs, self.pace),
            start=(start.stage - 1, self.pace.step_of(start.epoch))
            if isinstance(start, Start)
            else None,
            frozen=tuple(section.frozen),
            sizes=tuple((Pace(steps).step_of(share), int(side)) for share, side in sizes),
        )

    @property
    def steps(self) -> int:
        """The steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    @property
    def epochs(self) -> int:
        """How many epochs there are; fractions of an epoch count as one."""
        return self.epochs_before(len(self.stages))

    def epochs_before(self, stage: int) -> int:
        """Return how many epochs come before a stage (from 0); fractions count as one."""
        return sum(-(-each.steps // self.pace.per_epoch) for each in self.stages[:stage])

    def work(self, step: int) -> float:
        """Return the work before a step of the run, in units of its most expensive step."""
        return sum(
            stage.work(min(step - stage.steps_before, stage.steps))
            for stage in self.stages
            if step > stage.steps_before
        )

    def legs(self, place: Place) -> Iterator[Leg]:
        """Yield the calls of `fit` that lead from a place to the end of its stage.

        A complete stage is one leg. The rest of an interrupted epoch and a fractional last epoch
        are separate legs, since all epochs of one `fit` have the same length.
        """
        stage, step, per_epoch = self.stages[place.stage], place.step, self.pace.per_epoch
        while step < stage.steps:
            epoch, inside = divmod(step, per_epoch)
            whole = (stage.steps - step) // per_epoch
            length = per_epoch
            if inside or not whole:
                length, whole = min(per_epoch - inside, stage.steps - step), 1
            yield Leg(stage, step, length, epoch, epoch + whole)
            step += length * whole

"""The callbacks of a stage that act at its steps, whoever trains: a run, a trial, a benchmark."""

import keras
import tensorflow as tf

from cifar_keras.experiment.lookahead import LookaheadSteps
from cifar_keras.experiment.stages import StagePlan
from cifar_keras.recipe import Recipe
from cifar_keras.run.callbacks import Clock, CountAllSteps, ImageSizes, StepRateScheduler
from cifar_keras.run.position import Position


def lookahead_steps(
    recipe: Recipe, model: keras.Model, strategy: tf.distribute.Strategy
) -> LookaheadSteps | None:
    """The recipe's Lookahead, whose variables join the optimizer's; None where it has none."""
    if recipe.lookahead == "none":
        return None
    with strategy.scope():
        return LookaheadSteps(model, recipe.lookahead)


def step_callbacks(
    recipe: Recipe,
    stage: StagePlan,
    position: Position,
    per_epoch: int,
    lookahead: LookaheadSteps | None,
) -> list[keras.callbacks.Callback]:
    """In calling order.

    The clock first, since the others read the position; then the scheduler, which puts the rate
    into the logs; then what changes images and weights, before anything looks at them.
    """

    def at_epoch(epoch: int, _: float) -> float:
        return stage.rate(epoch * per_epoch)

    found: list[keras.callbacks.Callback] = [Clock(position, recipe.data.batch_size)]
    if stage.by_epoch:
        found.append(keras.callbacks.LearningRateScheduler(at_epoch))
    else:
        found.append(StepRateScheduler(position, stage.rate))
    if recipe.precision == "mixed_float16":
        found.append(CountAllSteps(position))
    if stage.size:
        found.append(ImageSizes(position, stage.size))
    if lookahead:
        found.append(lookahead.within(position, stage.steps))
    return found

"""A recipe on its data, seed and devices, ready to be trained, tested and timed, all in memory."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from cifar_keras.data import Dataset
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.data.recorded import Inputs
from cifar_keras.distribute.devices import feed, parted, steps_between_looks
from cifar_keras.errors import RecipeError
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.experiment.lookahead import LookaheadSteps
from cifar_keras.experiment.rates import StepRateScheduler
from cifar_keras.experiment.stages import Leg, Place, Plan, Stage
from cifar_keras.experiment.steps import FiniteLoss, Steps
from cifar_keras.layers.whitening import Whitening
from cifar_keras.models.pretrained import fetch_weights, load_imagenet_resnext
from cifar_keras.recipe import Recipe

Callbacks = Sequence[keras.callbacks.Callback]
# How many training images whitening is fitted to, as in KellerJordan/cifar10-airbench.
_WHITENED = 5000


class Experiment:
    """What a recipe describes: its model, batches, tests and stages.

    Its weights are those of the seed until `initialize` or a checkpoint gives it others. `place`
    is how far it is trained; `fit` moves it on, and whoever resumes a training sets it. `inputs`
    is how its images are normalised.

    Args:
        recipe: what to train.
        dataset: what to train and test it on.
        seed: decides initial weights, batches and all noise.
        strategy: over the devices.
        budget: the factor of all epochs, as decimal text.
        jit: whether XLA compiles the steps: "auto", "on" or "off".

    Raises:
        RecipeError: the network cannot be built, or a batch has fewer images than there are
            devices.
        RunError: the budget leaves a stage no step.
        DeviceError: the devices do not allow what is asked for.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        seed: int,
        strategy: tf.distribute.Strategy,
        budget: str = "1",
        jit: str = "auto",
    ) -> None:
        replicas, images = strategy.num_replicas_in_sync, dataset.train.images
        if recipe.data.batch_size < replicas:
            raise RecipeError(
                f"data.batch_size {recipe.data.batch_size} has no image for each of {replicas} "
                "devices; raise it, or use fewer devices"
            )
        self.recipe, self.strategy, self.place = recipe, strategy, Place()
        self.plan = Plan(recipe, len(images), budget)
        self.model = compiled_model(recipe, seed, strategy, self.plan.pace, jit)
        self.lookahead: LookaheadSteps | None = None
        if recipe.lookahead != "none":
            with strategy.scope():
                self.lookahead = LookaheadSteps(self.model, recipe.lookahead)
        self.inputs = Inputs.of(dataset, recipe.data)
        norm = self.inputs.normalization
        self.batches = TrainingBatches(images, dataset.train.labels, recipe.data, norm, seed)
        test = dataset.test
        tests = evaluation_batches(test.images, test.labels, recipe.data, norm)
        self.tests, self.test_steps = feed(strategy, parted(tests)), int(tests.cardinality())

    def initialize(self, weights: Path | None = None) -> None:
        """Give the network the published weights of its recipe, and fit its whitening, if any.

        Args:
            weights: the user's copy of the published weights; None to take them from Keras' cache,
                or download them.

        Raises:
            RunError: the file cannot be had, is another one, or does not fit the network.
        """
        published = self.recipe.initial_weights
        if published != "none":
            file = fetch_weights(published.url, published.md5, weights)
            load_imagenet_resnext(self.model, file)
        for layer in self.model.layers:
            if isinstance(layer, Whitening):
                layer.adapt(self.batches.plain(_WHITENED))

    def fit(self, leg: Leg, callbacks: Callbacks = ()) -> None:
        """Train the epochs of a leg, and test after each.

        Raises:
            Diverged: the loss is no finite number.
        """
        stage = leg.stage
        self.model.freeze(stage.frozen)
        first, last = stage.steps_before + leg.first_step, stage.steps_before + stage.steps
        self.model.fit(
            feed(self.strategy, partial(self.batches.dataset, first, last)),
            steps_per_epoch=leg.steps_per_epoch,
            initial_epoch=leg.first_epoch,
            epochs=leg.last_epoch,
            validation_data=self.tests,
            validation_steps=self.test_steps,
            callbacks=[*self._step_callbacks(stage), *callbacks],
            shuffle=False,
            verbose=0,
        )

    def evaluate(self, callbacks: Callbacks = (), steps: int | None = None) -> dict[str, float]:
        """Return the loss and accuracy on the test images, or on so many batches of them."""
        steps = steps or self.test_steps
        every = list(callbacks)
        found = self.model.evaluate(
            self.tests, steps=steps, callbacks=every, return_dict=True, verbose=0
        )
        return dict(found)

    def end_epoch(self, logs: dict[str, float], callbacks: Callbacks = ()) -> None:
        """Test, and end, an epoch whose steps are all done and gave these logs, as `fit` would."""
        every = [*self._step_callbacks(self.plan.stages[self.place.stage]), *callbacks]
        tested = {f"val_{name}": value for name, value in self.evaluate(every).items()}
        logs = logs | tested
        for callback in every:
            callback.on_epoch_end((self.place.step - 1) // self.plan.pace.per_epoch, logs)

    def _step_callbacks(self, stage: Stage) -> list[keras.callbacks.Callback]:
        """Return what acts at each step, in calling order.

        The counter first, since the others read the place; then the scheduler, which puts the rate
        into the logs; then what changes the weights, before anything looks at them.
        """
        scaled = self.recipe.precision == "mixed_float16"
        return [
            Steps(self.place, stage),
            StepRateScheduler(self.place, stage.rate, count_all=scaled),
            *([self.lookahead.within(self.place, stage.steps)] if self.lookahead else []),
            FiniteLoss(steps_between_looks(self.strategy)),
        ]

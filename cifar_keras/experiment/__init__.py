"""A recipe on its data, seed and devices, ready to be trained, tested and timed, all in memory."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from cifar_keras.data import Dataset, Split, held_out
from cifar_keras.data.normalise import Normalization
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.data.recorded import Inputs
from cifar_keras.distribute.devices import feed, parted, steps_between_looks
from cifar_keras.errors import RecipeError
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.experiment.lookahead import LookaheadSteps
from cifar_keras.experiment.rates import StepRateScheduler
from cifar_keras.experiment.stages import Leg, Place, Plan, Stage
from cifar_keras.experiment.steps import FiniteLoss, Steps
from cifar_keras.experiment.validation import Validation
from cifar_keras.layers.whitening import Whitening
from cifar_keras.models.pretrained import fetch_weights, load_imagenet_resnext
from cifar_keras.recipe import Recipe
from cifar_keras.schedules import is_tested

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
        test_every: test after so many epochs and after the last; 0 for the last only.

    Raises:
        RecipeError: the network cannot be built, a batch has fewer images than there are devices,
            or too many images are held out.
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
        test_every: int = 1,
    ) -> None:
        dataset = held_out(dataset, recipe.data.validation)
        replicas, images = strategy.num_replicas_in_sync, dataset.train.images
        if recipe.data.batch_size < replicas:
            raise RecipeError(
                f"data.batch_size {recipe.data.batch_size} has no image for each of {replicas} "
                "devices; raise it, or use fewer devices"
            )
        self.recipe, self.strategy, self.place = recipe, strategy, Place()
        self.plan, self.test_every = Plan(recipe, len(images), budget), test_every
        self.model = compiled_model(recipe, seed, strategy, self.plan.pace, jit)
        self.lookahead: LookaheadSteps | None = None
        if recipe.lookahead != "none":
            with strategy.scope():
                self.lookahead = LookaheadSteps(self.model, recipe.lookahead)
        self.inputs = Inputs.of(dataset, recipe.data)
        norm = self.inputs.normalization
        self.batches = TrainingBatches(images, dataset.train.labels, recipe.data, norm, seed)
        self.tests, self.test_steps = self._fed(dataset.test, norm)
        self.validation = self._fed(dataset.validation, norm) if dataset.validation else None

    def _fed(
        self, split: Split, norm: Normalization
    ) -> tuple[tf.distribute.DistributedDataset, int]:
        """Return the batches of a split to evaluate, and how many there are."""
        batches = evaluation_batches(split.images, split.labels, self.recipe.data, norm)
        return feed(self.strategy, parted(batches)), int(batches.cardinality())

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
        """Train the epochs of a leg; test after those to be tested, validate after each.

        Raises:
            Diverged: the loss is no finite number.
        """
        stage = leg.stage
        self.model.freeze(stage.frozen)
        first, last = stage.steps_before + leg.first_step, stage.steps_before + stage.steps
        epochs = range(leg.first_epoch, leg.last_epoch)
        self.model.fit(
            feed(self.strategy, partial(self.batches.dataset, first, last)),
            steps_per_epoch=leg.steps_per_epoch,
            initial_epoch=leg.first_epoch,
            epochs=leg.last_epoch,
            validation_data=self.tests,
            validation_steps=self.test_steps,
            # Keras counts from 1 here.
            validation_freq=[epoch + 1 for epoch in epochs if self._is_tested(epoch)],
            callbacks=self._with_own(stage, callbacks),
            shuffle=False,
            verbose=0,
        )

    def evaluate(self, callbacks: Callbacks = (), steps: int | None = None) -> dict[str, float]:
        """Return the loss and accuracy on the test images, or on so many batches of them."""
        return self._evaluated(self.tests, steps or self.test_steps, callbacks)

    def _evaluated(
        self, batches: tf.distribute.DistributedDataset, steps: int, callbacks: Callbacks
    ) -> dict[str, float]:
        every = list(callbacks)
        found = self.model.evaluate(
            batches, steps=steps, callbacks=every, return_dict=True, verbose=0
        )
        return dict(found)

    def end_epoch(self, logs: dict[str, float], callbacks: Callbacks = ()) -> None:
        """Test, and end, an epoch whose steps are all done and gave these logs, as `fit` would."""
        every = self._with_own(self.plan.stages[self.place.stage], callbacks)
        epoch = (self.place.step - 1) // self.plan.pace.per_epoch
        if self._is_tested(epoch):
            logs = logs | {f"val_{name}": value for name, value in self.evaluate(every).items()}
        else:
            # The metrics, which `evaluate` would build.
            self.model.before_first_batch()
        for callback in every:
            # As `evaluate` does, where there is a test.
            callback.set_model(self.model)
            callback.on_epoch_end(epoch, logs)

    def _is_tested(self, epoch: int) -> bool:
        """Return whether to test after an epoch of the present stage, from 0."""
        number = self.plan.epochs_before(self.place.stage) + epoch + 1
        return is_tested(number, self.plan.epochs, self.test_every)

    def _with_own(self, stage: Stage, callbacks: Callbacks) -> list[keras.callbacks.Callback]:
        """Return all callbacks, in calling order.

        The counter first, since the others read the place; then the scheduler, which puts the rate
        into the logs; then what changes the weights, before anything looks at them; the validation
        last, so that the caller's see its figures, and it calls only theirs.
        """
        scaled = self.recipe.precision == "mixed_float16"
        return [
            Steps(self.place, stage),
            StepRateScheduler(self.place, stage.rate, count_all=scaled),
            *([self.lookahead.within(self.place, stage.steps)] if self.lookahead else []),
            FiniteLoss(steps_between_looks(self.strategy)),
            *self._validating(callbacks),
            *callbacks,
        ]

    def _validating(self, callbacks: Callbacks) -> list[keras.callbacks.Callback]:
        if self.validation is None:
            return []
        return [Validation(partial(self._evaluated, *self.validation, callbacks))]

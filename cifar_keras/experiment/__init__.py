"""A recipe with data, seed and devices: it can be trained, evaluated and timed, all in memory."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf

from cifar_keras.data import Dataset, Split, held_out
from cifar_keras.data.normalize import Normalization
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.data.recorded import Inputs
from cifar_keras.distribute.devices import feed, sharded, steps_between_checks
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
# How many training images whitening is adapted to, as in KellerJordan/cifar10-airbench.
_WHITENED = 5000


class Experiment:
    """What a recipe describes: its model, batches, evaluation and stages.

    It has the seed's initial weights until `initialize` or a checkpoint sets others. `place` is how
    far it is trained: `fit` advances it, and code that resumes a training sets it. `inputs` is how
    its images are normalized.

    Args:
        recipe: what to train.
        dataset: the data to train and test on.
        seed: determines initial weights, batches and all random numbers.
        strategy: the distribution strategy.
        budget: the factor of all epochs, as decimal text.
        jit: whether XLA compiles the steps: "auto", "on" or "off".
        test_every: test after every so many epochs and after the last; 0 for the last only.

    Raises:
        RecipeError: the network cannot be built, a batch has fewer images than there are devices,
            or too many images are held out.
        RunError: the budget leaves a stage without a step.
        DeviceError: the devices do not support the precision, network or `jit`.
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
                f"data.batch_size is {recipe.data.batch_size}, less than the {replicas} devices; "
                "raise it, or use fewer devices"
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
        """Return the batches of a split for evaluation, and their number."""
        batches = evaluation_batches(split.images, split.labels, self.recipe.data, norm)
        return feed(self.strategy, sharded(batches)), int(batches.cardinality())

    def initialize(self, weights: Path | None = None) -> None:
        """Load the recipe's published weights and adapt the whitening, if the recipe has any.

        Args:
            weights: the user's copy of the published weights; None to take them from Keras' cache,
                or download them.

        Raises:
            RunError: the file cannot be read or downloaded, is not the published one, or does not
                fit the network.
        """
        published = self.recipe.initial_weights
        if published != "none":
            file = fetch_weights(published.url, published.md5, weights)
            load_imagenet_resnext(self.model, file)
        for layer in self.model.layers:
            if isinstance(layer, Whitening):
                layer.adapt(self.batches.plain(_WHITENED))

    def fit(self, leg: Leg, callbacks: Callbacks = ()) -> None:
        """Train the epochs of a leg; test after those that `test_every` names, validate after each.

        Raises:
            Diverged: the loss is NaN or infinite.
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
            # Keras counts epochs from 1 here.
            validation_freq=[epoch + 1 for epoch in epochs if self._is_tested(epoch)],
            callbacks=self._with_own(stage, callbacks),
            shuffle=False,
            verbose=0,
        )

    def evaluate(self, callbacks: Callbacks = (), steps: int | None = None) -> dict[str, float]:
        """Return the loss and accuracy on the test images, or on their first `steps` batches."""
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
        """Finish an epoch whose steps are all done, as `fit` would: test it and call callbacks.

        Args:
            logs: the results of the epoch's steps.
            callbacks: see `fit`.
        """
        every = self._with_own(self.plan.stages[self.place.stage], callbacks)
        epoch = (self.place.step - 1) // self.plan.pace.per_epoch
        if self._is_tested(epoch):
            logs = logs | {f"val_{name}": value for name, value in self.evaluate(every).items()}
        else:
            # `evaluate` would build the metrics.
            self.model.before_first_batch()
        for callback in every:
            # `evaluate` would do this, too.
            callback.set_model(self.model)
            callback.on_epoch_end(epoch, logs)

    def _is_tested(self, epoch: int) -> bool:
        """Return whether to test after an epoch (from 0) of the current stage."""
        number = self.plan.epochs_before(self.place.stage) + epoch + 1
        return is_tested(number, self.plan.epochs, self.test_every)

    def _with_own(self, stage: Stage, callbacks: Callbacks) -> list[keras.callbacks.Callback]:
        """Return all callbacks, in calling order.

        The step counter is first, since the others read the place. The scheduler adds the learning
        rate to the logs. Then comes what changes the weights, before anything reads them. The
        validation is the last of ours, so that the caller's callbacks get its figures. Its own
        evaluation calls only theirs.
        """
        scaled = self.recipe.precision == "mixed_float16"
        return [
            Steps(self.place, stage),
            StepRateScheduler(self.place, stage.rate, count_all=scaled),
            *([self.lookahead.within(self.place, stage.steps)] if self.lookahead else []),
            FiniteLoss(steps_between_checks(self.strategy)),
            *self._validating(callbacks),
            *callbacks,
        ]

    def _validating(self, callbacks: Callbacks) -> list[keras.callbacks.Callback]:
        if self.validation is None:
            return []
        return [Validation(partial(self._evaluated, *self.validation, callbacks))]

"""One run: a recipe, a seed, a folder; begun, continued or found finished."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from cifar_keras import runs
from cifar_keras.data import Dataset
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.data.statistics import normalization
from cifar_keras.errors import CifarKerasError, Interrupted, RunError
from cifar_keras.files import remove_leftovers
from cifar_keras.models import multiply_adds
from cifar_keras.schedules import steps_per_epoch
from cifar_keras.training.callbacks import (
    Checkpointer,
    Clock,
    Diverged,
    HistoryLog,
    ImageSizes,
    StepRateScheduler,
    Stopped,
)
from cifar_keras.training.checkpoint import Snapshot, Store, put_back, read
from cifar_keras.training.compiled import compiled_model
from cifar_keras.training.devices import device_names, feed
from cifar_keras.training.folder import Job, check_folder, locked, open_run, record
from cifar_keras.training.initial import adapt, load_published
from cifar_keras.training.lookahead import LookaheadSteps
from cifar_keras.training.plan import StagePlan, legs, plan, work
from cifar_keras.training.position import Position
from cifar_keras.training.progress import Progress
from cifar_keras.training.result import write_result
from cifar_keras.training.signals import Signals
from cifar_keras.training.trackers import Tracker, start_trackers


@dataclass(frozen=True)
class Every:
    """When to save inside an epoch, besides at its end: after steps, or after seconds."""

    steps: int | None = None
    seconds: float | None = None


def train(
    job: Job, dataset: Dataset, strategy: tf.distribute.Strategy, every: Every
) -> runs.Result:
    """Train to the end, from wherever the folder's run stands; a finished run is only read.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the state is saved.
        RunError: the folder is another run's or another process', cannot be written, or the
            training diverged.
        RecipeError: the recipe's network cannot be built.
    """
    devices = device_names(strategy)
    with locked(job.folder):
        check_folder(job, dataset.provenance)
        if (job.folder / runs.RESULT).exists():
            return runs.read_result(job.folder)
        run = _Run(job, dataset, strategy, every)
        open_run(job, dataset.provenance, devices)
        try:
            record(job.folder, "resumed" if run.restore() else "started", run.position, devices)
            with run.signals.noted():
                run.go()
            result = write_result(
                job.folder,
                run.model,
                run.position.rows,
                len(dataset.test.labels),
                multiply_adds(run.model, job.recipe.image_shape),
            )
            record(job.folder, "finished", run.position, devices)
            run.store.clear()
            for tracker in run.trackers:
                tracker.finish()
            return result
        except Stopped:
            record(job.folder, "interrupted", run.position, devices)
            raise Interrupted(
                f"interrupted after step {run.position.step} of stage {run.position.stage + 1}; "
                "the state is saved",
                run.signals.received or 0,
            ) from None
        except Diverged as error:
            message = run.diverged(str(error))
            record(job.folder, "failed", run.position, devices, message)
            raise RunError(message) from None
        except CifarKerasError:
            raise
        except Exception as error:
            record(job.folder, "failed", run.position, devices, f"{type(error).__name__}: {error}")
            raise


class _Run:
    """The parts of one run and how they work together."""

    def __init__(
        self, job: Job, dataset: Dataset, strategy: tf.distribute.Strategy, every: Every
    ) -> None:
        data = job.recipe.data
        self.job, self.every = job, every
        self.per_epoch = steps_per_epoch(data, len(dataset.train.labels))
        self.stages = plan(job.recipe, self.per_epoch, job.budget)
        starts = [stage.start for stage in self.stages if stage.start]
        self.store = Store(job.folder / runs.CHECKPOINTS, starts)
        self.model = compiled_model(job.recipe, job.seed, strategy, self.per_epoch, job.budget)
        self.lookahead = None
        if job.recipe.lookahead != "none":
            with strategy.scope():
                self.lookahead = LookaheadSteps(self.model, job.recipe.lookahead)
        norm = normalization(data, dataset.train.images)
        self.batches = TrainingBatches(
            dataset.train.images, dataset.train.labels, data, norm, job.seed
        )
        tests = evaluation_batches(dataset.test.images, dataset.test.labels, data, norm)
        self.strategy = strategy
        self.tests, self.test_steps = feed(strategy, tests), int(tests.cardinality())
        self.position = Position()
        self.restored: Snapshot | None = None
        self.trackers: list[Tracker] = []
        self.signals = Signals()
        # On a GPU each look at the loss would hold up the device.
        on_gpu = any("GPU" in name for name in strategy.extended.worker_devices)
        self.finite_every = 50 if on_gpu else 1

    def restore(self) -> bool:
        """Take up the newest checkpoint; whether there was one."""
        remove_leftovers(self.job.folder)
        self.restored = snapshot = self.store.newest()
        if snapshot is None:
            load_published(self.model, self.job.recipe, self.job.weights)
            adapt(self.model, self.batches)
            return False
        put_back(self.model, snapshot.arrays, ["model", "seeds", "optimizer"])
        self.position = Position.from_json(snapshot.position)
        runs.write_history(self.job.folder, self.position.rows)
        return True

    def go(self) -> None:
        """From the position to the end of the last stage."""
        self.trackers = start_trackers(self.job, self.position)
        while True:
            self._stage(self.stages[self.position.stage])
            if self.position.stage + 1 == len(self.stages):
                return
            self.position.stage += 1
            self.position.step = 0
            self._begin_stage(self.stages[self.position.stage])

    def _begin_stage(self, stage: StagePlan) -> None:
        # Weights and statistics come from the earlier state; the optimizer starts from nothing, and
        # random states go on, so that no noise is seen twice.
        assert stage.start is not None
        put_back(self.model, read(self.store.path(*stage.start)).arrays, ["model"])
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))

    def _stage(self, stage: StagePlan) -> None:
        position = self.position
        self.model.freeze(stage.frozen)
        checkpointer = Checkpointer(
            position,
            self.store,
            self.signals,
            self.every.steps,
            self.every.seconds,
            self.finite_every,
        )
        callbacks = self._callbacks(stage, checkpointer)
        if self.restored and position.step > position.tested_step:
            # The run was stopped inside this epoch, or between its last step and its test.
            if position.step % self.per_epoch and position.step < stage.steps:
                checkpointer.unfinished_metrics = self.restored.arrays
            else:
                checkpointer.before_test = self.restored
                self._test_alone(callbacks)
        self.restored = None
        for leg in legs(position.step, stage.steps, self.per_epoch):
            first = stage.steps_before + leg.first_step
            self.model.fit(
                feed(self.strategy, self.batches.dataset(first, stage.steps_before + stage.steps)),
                steps_per_epoch=leg.steps_per_epoch,
                initial_epoch=leg.first_epoch,
                epochs=leg.last_epoch,
                validation_data=self.tests,
                validation_steps=self.test_steps,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )

    def _callbacks(
        self, stage: StagePlan, checkpointer: Checkpointer
    ) -> list[keras.callbacks.Callback]:
        """In calling order.

        The clock first, since the others read the position; then the scheduler, which puts the rate
        into the logs; what changes images and weights before what looks at them; the history before
        the progress and the trackers, so that a row is on disk before it is shown; the checkpointer
        last, so that what it saves is complete.
        """
        recipe, position, per_epoch = self.job.recipe, self.position, self.per_epoch
        before = stage.steps_before

        def at_epoch(epoch: int, _: float) -> float:
            return stage.rate(epoch * per_epoch)

        by_epoch = keras.callbacks.LearningRateScheduler(at_epoch)
        name = f"{self.job.name} seed {self.job.seed}"
        name += " (synthetic data)" if recipe.synthetic else ""
        optional: list[keras.callbacks.Callback] = []
        if stage.size:
            optional.append(ImageSizes(position, stage.size))
        if self.lookahead:
            optional.append(self.lookahead.within(position, stage.steps))
        return [
            Clock(position, recipe.data.batch_size),
            by_epoch if stage.by_epoch else StepRateScheduler(stage.rate),
            *optional,
            HistoryLog(position, self.job.folder, before, per_epoch),
            Progress(name, position, before, work(self.stages), per_epoch),
            *self.trackers,
            checkpointer,
        ]

    def _test_alone(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Test an epoch whose training was finished before the interruption, and end it."""
        logs = dict(self.position.logs)
        tested = self.model.evaluate(
            self.tests, steps=self.test_steps, callbacks=callbacks, return_dict=True, verbose=0
        )
        logs |= {f"val_{name}": value for name, value in tested.items()}
        for callback in callbacks:
            callback.on_epoch_end((self.position.step - 1) // self.per_epoch, logs)

    def diverged(self, reason: str) -> str:
        """What to tell of a run that came to no finite number."""
        epoch, step = divmod(self.position.step - 1, self.per_epoch)
        rate = float(self.model.optimizer.learning_rate.numpy())
        return (
            f"{reason} after epoch {epoch}, step {step + 1} (stage {self.position.stage + 1}), at "
            f"learning rate {rate:.4g}; the last good checkpoint is kept; lower the rate, or look "
            "at the data"
        )

"""One run: a recipe, a seed, a folder; begun, continued or found finished."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from cifar_keras import runs
from cifar_keras.data import Dataset
from cifar_keras.data.normalise import normalization
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.errors import CifarKerasError, Interrupted, RecipeError, RunError
from cifar_keras.files import remove_leftovers
from cifar_keras.loss_scale import start_anew
from cifar_keras.models import multiply_adds
from cifar_keras.provenance import machine, versions
from cifar_keras.recipe import flat
from cifar_keras.schedules import steps_per_epoch
from cifar_keras.training.callbacks import Checkpointer, Diverged, HistoryLog, Stopped
from cifar_keras.training.checkpoint import Snapshot, Store, decode, encode, put_back, read, take
from cifar_keras.training.compiled import compiled_model
from cifar_keras.training.devices import device_names, feed, parted
from cifar_keras.training.folder import Job, check_folder, locked, open_run, record
from cifar_keras.training.initial import adapt, load_published
from cifar_keras.training.plan import StagePlan, legs, plan, work
from cifar_keras.training.position import Position
from cifar_keras.training.progress import Progress
from cifar_keras.training.result import write_result
from cifar_keras.training.signals import Signals
from cifar_keras.training.step_callbacks import lookahead_steps, step_callbacks
from cifar_keras.training.team import Team, team_of
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

    Under a strategy of several workers all must call it, for the same job. The folder is the
    chief's: what the others have under its name is neither read nor written.

    Raises:
        Interrupted: SIGINT or SIGTERM came, to any worker; the state is saved.
        RunError: the folder is another run's or another process', cannot be written, the training
            diverged, or a worker is lost or trains something else.
        RecipeError: the recipe's network cannot be built.
        DeviceError: the devices do not allow what the job asks for.
    """
    team = team_of(strategy)
    with team.whole(), ExitStack() as held:
        team.agree_on(_facts(job, dataset, strategy, every))

        finished: list[runs.Result] = []

        def open_folder() -> None:
            held.enter_context(locked(job.folder))
            check_folder(job, dataset.provenance)
            if (job.folder / runs.RESULT).exists():
                finished.append(runs.read_result(job.folder))

        team.by_chief("open the run folder", open_folder)
        if any(team.total([len(finished)])):
            return _of_chief(team, *finished)
        run = _Run(job, dataset, strategy, every, team)
        return _recorded(run, dataset)


def _facts(
    job: Job, dataset: Dataset, strategy: tf.distribute.Strategy, every: Every
) -> dict[str, Any]:
    """What all workers must have in common."""
    return {
        **flat(job.recipe.moving()),
        "seed": job.seed,
        "budget": job.budget,
        "the data's content": dataset.provenance["content_sha256"],
        "--jit": job.jit,
        "the number of devices": len(strategy.extended.worker_devices),
        "--checkpoint-every": every.steps,
        **versions(),
    }


def _of_chief(team: Team, result: runs.Result | None = None) -> runs.Result:
    content = result.model_dump_json().encode() if result else b""
    return runs.Result.model_validate_json(team.of_chief(content))


def _recorded(run: "_Run", dataset: Dataset) -> runs.Result:
    """The run's result; what happens on the way goes into run.json."""
    job, team = run.job, run.team
    devices = device_names(run.strategy)
    here = machine(devices, run.model.jit_compile)

    def event(kind: str, note: str | None = None) -> None:
        if team.chief:
            record(job.folder, kind, run.position, here, note)

    team.by_chief("write run.json", lambda: open_run(job, dataset.provenance, devices))
    try:
        resumed = run.restore()
        event("resumed" if resumed else "started")
        with run.signals.noted():
            run.go()
        if not team.chief:
            return _of_chief(team)
        macs = multiply_adds(run.model, job.recipe.image_shape)
        result = write_result(
            job.folder, run.model, run.position.rows, len(dataset.test.labels), macs
        )
        event("finished")
        run.store.clear()
        for tracker in run.trackers:
            tracker.finish()
        return _of_chief(team, result)
    except Stopped:
        event("interrupted")
        raise Interrupted(
            f"interrupted after step {run.position.step} of stage {run.position.stage + 1}; "
            "the state is saved",
            run.signals.received or 0,
        ) from None
    except Diverged as error:
        message = run.diverged(str(error))
        event("failed", message)
        raise RunError(message) from None
    except CifarKerasError:
        raise
    except Exception as error:
        event("failed", f"{type(error).__name__}: {error}")
        raise


class _Run:
    """The parts of one run and how they work together."""

    def __init__(
        self,
        job: Job,
        dataset: Dataset,
        strategy: tf.distribute.Strategy,
        every: Every,
        team: Team,
    ) -> None:
        data, replicas = job.recipe.data, strategy.num_replicas_in_sync
        if data.batch_size < replicas:
            raise RecipeError(
                f"data.batch_size {data.batch_size} has no image for each of {replicas} devices; "
                "raise it, or use fewer devices"
            )
        self.job, self.every, self.team = job, every, team
        self.per_epoch = steps_per_epoch(data, len(dataset.train.labels))
        self.stages = plan(job.recipe, self.per_epoch, job.budget)
        starts = [stage.start for stage in self.stages if stage.start]
        self.store = Store(job.folder / runs.CHECKPOINTS, starts)
        self.model = compiled_model(
            job.recipe, job.seed, strategy, self.per_epoch, job.budget, job.jit
        )
        self.lookahead = lookahead_steps(job.recipe, self.model, strategy)
        norm = normalization(data, dataset.train.images)
        self.batches = TrainingBatches(
            dataset.train.images, dataset.train.labels, data, norm, job.seed
        )
        tests = evaluation_batches(dataset.test.images, dataset.test.labels, data, norm)
        self.strategy = strategy
        self.tests, self.test_steps = feed(strategy, parted(tests)), int(tests.cardinality())
        self.position = Position()
        self.restored: Snapshot | None = None
        self.trackers: list[Tracker] = []
        self.signals = Signals()
        # On a GPU each look at the loss would hold up the device.
        on_gpu = any("GPU" in name for name in strategy.extended.worker_devices)
        self.finite_every = 50 if on_gpu else 1

    def restore(self) -> bool:
        """Take up the newest checkpoint; whether there was one."""
        found: list[Snapshot] = []

        def look() -> None:
            remove_leftovers(self.job.folder)
            newest = self.store.newest()
            if newest:
                found.append(newest)
            else:
                load_published(self.model, self.job.recipe, self.job.weights)
                adapt(self.model, self.batches)

        self.team.by_chief("find a state to begin with", look)
        (resumed,) = self.team.total([len(found)])
        if resumed or self.team.size > 1:
            # The others begin with the chief's state, to the bit.
            initial = None if resumed else take(self.model, self.position)
            snapshot = self._of_chief(found[0] if found else initial)
            put_back(self.model, snapshot.arrays, ["model", "seeds", "optimizer"])
            self.position = Position.from_json(snapshot.position)
        if resumed:
            self.restored = snapshot
            if self.team.chief:
                runs.write_history(self.job.folder, self.position.rows)
        return bool(resumed)

    def _of_chief(self, snapshot: Snapshot | None) -> Snapshot:
        """The chief's snapshot; what the others bring is not looked at."""
        if self.team.size == 1 and snapshot:
            return snapshot
        content = encode(snapshot) if self.team.chief and snapshot else b""
        return decode(self.team.of_chief(content), "the chief's state")

    def go(self) -> None:
        """From the position to the end of the last stage."""
        self.trackers = start_trackers(self.job, self.position) if self.team.chief else []
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
        path = self.store.path(*stage.start)
        start = read(path) if self.team.chief else None
        put_back(self.model, self._of_chief(start).arrays, ["model"])
        start_anew(self.model.optimizer)

    def _stage(self, stage: StagePlan) -> None:
        position = self.position
        self.model.freeze(stage.frozen)
        checkpointer = Checkpointer(
            position,
            self.store,
            self.team,
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
            first, last = stage.steps_before + leg.first_step, stage.steps_before + stage.steps
            self.model.fit(
                feed(self.strategy, partial(self.batches.dataset, first, last)),
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

        The history before the progress and the trackers, so that a row is on disk before it is
        shown; the checkpointer last, so that what it saves is complete.
        """
        recipe, position, per_epoch = self.job.recipe, self.position, self.per_epoch
        before, chief = stage.steps_before, self.team.chief
        name = f"{self.job.name} seed {self.job.seed}"
        name += " (synthetic data)" if recipe.synthetic else ""
        return [
            *step_callbacks(recipe, stage, position, per_epoch, self.lookahead),
            HistoryLog(position, self.job.folder if chief else None, before, per_epoch),
            *([Progress(name, position, before, work(self.stages), per_epoch)] if chief else []),
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

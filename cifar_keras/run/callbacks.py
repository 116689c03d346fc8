"""Callbacks of a run: they measure time, report, save and stop."""

import signal
import time
from collections.abc import Sequence

import keras
import numpy as np

from cifar_keras.distribute.team import Team
from cifar_keras.experiment import Experiment
from cifar_keras.experiment.steps import Diverged, Logs
from cifar_keras.run.checkpoint import Snapshot, Store, take_snapshot
from cifar_keras.run.folder import Job
from cifar_keras.run.history import Clock, HistoryLog
from cifar_keras.run.position import Position
from cifar_keras.run.progress import Progress
from cifar_keras.run.signals import Signals
from cifar_keras.terminal import Bar


class Stopped(Exception):
    """Raised between two steps after a signal, when the state is saved."""


class Agreement(keras.callbacks.Callback):
    """Let all workers agree whether to `stop`, or to save because a checkpoint is overdue (`late`).

    They stop if any of them received a signal. A checkpoint is overdue after `seconds` without one
    by the chief worker's clock. Asking is a collective operation, so it happens every `every`
    steps.
    """

    def __init__(
        self, team: Team, signals: Signals, every: int = 1, seconds: float | None = None
    ) -> None:
        super().__init__()
        self.team, self.signals, self.every, self.seconds = team, signals, every, seconds
        self.stop = self.late = False
        self.saved_at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.stop = self.late = False
        if (batch + 1) % self.every == 0:
            self._ask()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self._ask()

    on_epoch_end = on_test_batch_end

    def _ask(self) -> None:
        waited = time.monotonic() - self.saved_at
        late = self.team.chief and self.seconds is not None and waited > self.seconds
        mine = self.signals.received
        wishes = [mine == signal.SIGTERM, mine == signal.SIGINT, late]
        terminated, interrupted, late_ = self.team.total([int(wish) for wish in wishes])
        self.stop, self.late = bool(terminated or interrupted), bool(late_)
        if self.stop:
            self.signals.received = signal.SIGTERM if terminated else signal.SIGINT


class Saver(keras.callbacks.Callback):
    """Save the state after each epoch, where a later stage starts, and when the workers agree to.

    With `every_steps`, also save after that many steps of a stage. All workers take the state, as
    this is a collective operation; the chief worker writes it.
    """

    def __init__(
        self, position: Position, store: Store, agreement: Agreement, every_steps: int | None = None
    ) -> None:
        super().__init__()
        self.position, self.store, self.agreement = position, store, agreement
        self.every_steps = every_steps
        self.before_test: Snapshot | None = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        place = self.position.stage, self.position.step
        due = place in self.store.starts
        due = due or bool(self.every_steps and self.position.step % self.every_steps == 0)
        if due or self.agreement.stop or self.agreement.late:
            self._save(self._take())

    def on_test_begin(self, logs: Logs = None) -> None:
        # Testing resets the metrics and may take minutes, so a signal in it saves this state.
        if self.before_test is None:
            self.before_test = self._take()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.agreement.stop and self.before_test is not None:
            self._save(self.before_test)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.before_test = None
        self._save(self._take())

    def _save(self, snapshot: Snapshot) -> None:
        if self.agreement.team.chief:
            self.store.save(snapshot)
        self.agreement.saved_at = time.monotonic()

    def _take(self) -> Snapshot:
        results = self.model.get_metrics_result()
        self.position.logs = {name: float(value) for name, value in results.items()}
        snapshot = take_snapshot(self.model, self.position)
        for key, array in snapshot.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                group, *_, name = key.split(":")
                raise Diverged(
                    "the loss became NaN or infinite"
                    if group == "metrics"
                    else f"{name} became NaN or infinite"
                )
        return snapshot


class Stop(keras.callbacks.Callback):
    """Raise `Stopped` when the workers have agreed to stop."""

    def __init__(self, agreement: Agreement) -> None:
        super().__init__()
        self.agreement = agreement

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.agreement.stop:
            raise Stopped

    on_test_batch_end = on_epoch_end = on_train_batch_end


def run_callbacks(
    job: Job,
    experiment: Experiment,
    position: Position,
    trackers: Sequence[keras.callbacks.Callback],
    saver: Saver,
    bar: Bar,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a run, in calling order; they follow those of the experiment.

    The clock comes before the history, whose rows contain the times. The history comes before the
    progress and the trackers, so that a row is on disk before it is shown. The saver follows, so
    that it saves the complete state, after the agreement that tells it when. What stops the run
    comes last, when the state is saved.
    """
    agreement = saver.agreement
    chief = agreement.team.chief
    name = f"{job.name} seed {job.seed}" + (" (synthetic data)" if job.recipe.synthetic else "")
    plan, size = experiment.plan, job.recipe.data.batch_size
    progress = Progress(name, position, plan, size, experiment.test_steps, bar)
    return [
        Clock(position, size),
        HistoryLog(position, plan, job.folder if chief else None),
        *([progress] if chief else []),
        *trackers,
        agreement,
        saver,
        Stop(agreement),
    ]

"""The callbacks of a run, in the order in which they must be called."""

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from cifar_keras.distribute.team import Team
from cifar_keras.run.checkpoint import Arrays, Snapshot, Store, put_back, take
from cifar_keras.run.position import Position
from cifar_keras.run.signals import Signals
from cifar_keras.runs import Epoch, write_history
from cifar_keras.schedules import Rate

Logs = dict[str, float] | None


class Stopped(Exception):
    """Raised between two steps when a signal has come and the state is saved."""


class Diverged(Exception):
    """Raised at the step whose loss, or after which a variable, is no finite number."""


class Clock(keras.callbacks.Callback):
    """Keeps the position's step and times; the first to be called, so that the others may read."""

    def __init__(self, position: Position, batch_size: int) -> None:
        super().__init__()
        self.position, self.batch_size = position, batch_size

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.seen = 0
        self.last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.position.step += batch + 1 - self.seen
        self.seen = batch + 1
        self.position.trained += self._lap()

    def on_test_begin(self, logs: Logs = None) -> None:
        self.last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        self._lap()
        steps = self.position.step - self.position.tested_step
        logs["seconds"] = self.position.seconds
        logs["images_per_second"] = steps * self.batch_size / self.position.trained
        self.position.seconds = self.position.trained = 0.0

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self.last = now - self.last, now
        self.position.seconds += lap
        return lap


class StepRateScheduler(keras.callbacks.LearningRateScheduler):
    """`LearningRateScheduler` for a rate that changes inside an epoch.

    Args:
        position: the run's, which counts the steps.
        rate: the rate at each step of the stage.
    """

    def __init__(self, position: Position, rate: Rate) -> None:
        super().__init__(lambda epoch, _: rate(0))
        self.position, self.rate = position, rate

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._set()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._set()

    def _set(self) -> None:
        self.model.optimizer.learning_rate = self.rate(self.position.step)


class CountAllSteps(keras.callbacks.Callback):
    """Lets the optimizer's iterations count the steps that its loss scaling skips, too.

    The schedules that groups of variables have of their own go by them.
    """

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.model.optimizer.iterations.assign(self.position.step)


class ImageSizes(keras.callbacks.Callback):
    """Sets the size that the training model gives to its images at each step.

    Args:
        position: the run's.
        size: the side at each step of the stage.
    """

    def __init__(self, position: Position, size: Callable[[int], int]) -> None:
        super().__init__()
        self.position, self.size = position, size

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.model.image_size = self.size(self.position.step)


class HistoryLog(keras.callbacks.Callback):
    """Adds a row to the history after each epoch; history.csv is replaced whole.

    Keras' CSVLogger loses the learning rate when it stands before the scheduler, fixes its columns
    by the first epoch, and can leave half a row.
    """

    def __init__(
        self, position: Position, folder: Path | None, steps_before: int, steps_per_epoch: int
    ) -> None:
        super().__init__()
        self.position, self.folder = position, folder
        self.steps_before, self.steps_per_epoch = steps_before, steps_per_epoch

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        position = self.position
        row = Epoch(
            epoch=(self.steps_before + position.step) / self.steps_per_epoch,
            stage=position.stage + 1,
            step=position.step,
            learning_rate=_shortest(logs["learning_rate"]),
            loss=_shortest(logs["loss"]),
            accuracy=_shortest(logs["accuracy"]),
            test_loss=_shortest(logs["val_loss"]),
            test_accuracy=_shortest(logs["val_accuracy"]),
            seconds=logs["seconds"],
            images_per_second=logs["images_per_second"],
        )
        position.rows.append(row)
        if self.folder:
            write_history(self.folder, position.rows)


def _shortest(value: float) -> float:
    # 0.1 and not 0.100000001490116: the shortest number that is the same float32.
    return float(str(np.float32(value)))


class Checkpointer(keras.callbacks.Callback):
    """Saves the state, stops the run for a signal, and stops it where it diverges.

    States are saved after each epoch, where a later stage will start, and inside epochs as asked.
    The last to be called, so that what it saves is complete. All workers of a team do the same at
    the same step: a signal to one stops all, the chief's clock counts, and the chief saves.

    Args:
        every_steps: also after so many steps of an epoch.
        every_seconds: also after so many seconds.
        finite_every: how many steps apart the loss is looked at, and the workers agree; on a GPU
            each look waits for the device.
    """

    def __init__(
        self,
        position: Position,
        store: Store,
        team: Team,
        signals: Signals,
        every_steps: int | None,
        every_seconds: float | None,
        finite_every: int = 1,
    ) -> None:
        super().__init__()
        self.position, self.store, self.team, self.signals = position, store, team, signals
        self.every_steps, self.every_seconds = every_steps, every_seconds
        self.finite_every = finite_every
        self.unfinished_metrics: Arrays | None = None
        self.saved_at = time.monotonic()
        self.before_test: Snapshot | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        # `fit` has just reset the metrics: an epoch that is resumed goes on with its sums.
        if self.unfinished_metrics is not None:
            put_back(self.model, self.unfinished_metrics, ["metrics"])
            self.unfinished_metrics = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        assert logs is not None
        looking = (batch + 1) % self.finite_every == 0
        stopping, late = self._wishes() if looking or self.team.size == 1 else (False, False)
        due = stopping or late or self._due()
        if (due or looking) and not math.isfinite(logs["loss"]):
            raise Diverged("the loss is no finite number")
        if due:
            self._save(self._take())
        if stopping:
            raise Stopped

    def on_test_begin(self, logs: Logs = None) -> None:
        # Testing resets the metrics, and may last for minutes: a signal then saves this state.
        if self.before_test is None:
            self.before_test = self._take()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        stopping, _ = self._wishes()
        if stopping and self.before_test is not None:
            self._save(self.before_test)
            raise Stopped

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.before_test = None
        self._save(self._take())
        stopping, _ = self._wishes()
        if stopping:
            raise Stopped

    def _wishes(self) -> tuple[bool, bool]:
        """Whether to stop, since a signal came to any worker, and whether it is time to save."""
        waited = time.monotonic() - self.saved_at
        late = int(self.every_seconds is not None and waited > self.every_seconds)
        mine = self.signals.received
        came = [int(mine == signal.SIGTERM), int(mine == signal.SIGINT)]
        terminated, interrupted, late = self.team.total([*came, late * self.team.chief])
        if terminated or interrupted:
            self.signals.received = signal.SIGTERM if terminated else signal.SIGINT
        return bool(terminated or interrupted), bool(late)

    def _due(self) -> bool:
        if (self.position.stage, self.position.step) in self.store.starts:
            return True
        return bool(self.every_steps and self.position.step % self.every_steps == 0)

    def _save(self, snapshot: Snapshot) -> None:
        if self.team.chief:
            self.store.save(snapshot)
        self.saved_at = time.monotonic()

    def _take(self) -> Snapshot:
        results = self.model.get_metrics_result()
        self.position.logs = {name: float(value) for name, value in results.items()}
        snapshot = take(self.model, self.position)
        for key, array in snapshot.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise Diverged(f"{key.split(':')[-1]} holds what is no finite number")
        return snapshot

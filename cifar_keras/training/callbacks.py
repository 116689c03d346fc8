"""The callbacks of a run, in the order in which they must be called."""

import math
import sys
import time
from pathlib import Path
from typing import TextIO

import keras
import numpy as np

from cifar_keras.runs import Epoch, write_history
from cifar_keras.schedules import Rate

Logs = dict[str, float] | None


class StepRateScheduler(keras.callbacks.LearningRateScheduler):
    """`LearningRateScheduler` for a rate that changes inside an epoch.

    Args:
        rate: the rate at each step, steps counted by `optimizer.iterations`.
    """

    def __init__(self, rate: Rate) -> None:
        super().__init__(lambda epoch, _: rate(0))
        self.rate = rate

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        # The rate of an epoch's first step, so that there is one before the first batch.
        self._set()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._set()

    def _set(self) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        self.model.optimizer.learning_rate = self.rate(step)


class Stopwatch(keras.callbacks.Callback):
    """Measures an epoch's seconds and its training steps' rate."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.begin = time.perf_counter()
        self.steps, self.trained = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.steps = batch + 1
        self.trained = time.perf_counter() - self.begin

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        logs["seconds"] = time.perf_counter() - self.begin
        logs["images_per_second"] = self.steps * self.batch_size / self.trained


class HistoryLog(keras.callbacks.Callback):
    """Writes history.csv after each epoch, whole and atomically.

    Keras' CSVLogger loses the learning rate when it stands before the scheduler, fixes its columns
    by the first epoch, and can leave half a row.
    """

    def __init__(self, folder: Path, steps_per_epoch: int) -> None:
        super().__init__()
        self.folder, self.steps_per_epoch = folder, steps_per_epoch
        self.rows: list[Epoch] = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        step = int(self.model.optimizer.iterations.numpy())
        self.rows.append(
            Epoch(
                epoch=step / self.steps_per_epoch,
                step=step,
                learning_rate=_shortest(logs["learning_rate"]),
                loss=_shortest(logs["loss"]),
                accuracy=_shortest(logs["accuracy"]),
                test_loss=_shortest(logs["val_loss"]),
                test_accuracy=_shortest(logs["val_accuracy"]),
                seconds=logs["seconds"],
                images_per_second=logs["images_per_second"],
            )
        )
        write_history(self.folder, self.rows)


def _shortest(value: float) -> float:
    # 0.1 and not 0.100000001490116: the shortest number that is the same float32.
    return float(str(np.float32(value)))


class Progress(keras.callbacks.Callback):
    """A line an epoch on stderr with the time left; before the first epoch ends, an estimate.

    Within an epoch the line moves, on a terminal only.
    """

    # The first steps compile and warm up; the estimate is taken from those after them.
    TIMED_FROM, TIMED_TO = 5, 15

    def __init__(self, name: str, total_steps: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.name, self.total, self.per_epoch = name, total_steps, steps_per_epoch
        self.stream: TextIO = sys.stderr
        self.begin_step = self.seen = 0
        self.estimated = False
        self.epoch_seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.begin_step = int(self.model.optimizer.iterations.numpy())
        self.begin = self.shown = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        now = time.perf_counter()
        if batch + 1 == self.TIMED_FROM:
            self.timed = now
        if batch + 1 == self.TIMED_TO and not self.estimated:
            self.estimated = True
            pace = (now - self.timed) / (self.TIMED_TO - self.TIMED_FROM)
            left = pace * (self.total - self.begin_step)
            epochs = (self.total - self.begin_step) / self.per_epoch
            self._line(
                f"{epochs:g} epochs to go, about {duration(left)} and the time to test after each"
            )
        if self.stream.isatty() and now - self.shown > 0.5:
            self.shown = now
            step = self.begin_step + batch + 1
            left = (now - self.begin) / (batch + 1) * (self.total - step)
            self.stream.write(
                f"\r\x1b[K{self.name}: step {step} of {self.total}, {duration(left)} left"
            )
            self.stream.flush()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        step = int(self.model.optimizer.iterations.numpy())
        pace = (time.perf_counter() - self.begin) / (step - self.begin_step)
        self._line(
            f"epoch {step / self.per_epoch:g} of {self.total / self.per_epoch:g}, "
            f"rate {logs['learning_rate']:.3g}, loss {logs['loss']:.4f}, "
            f"train {100 * logs['accuracy']:.2f} %, test {100 * logs['val_accuracy']:.2f} %, "
            f"{logs['images_per_second']:.0f} images/s, "
            f"{duration(pace * (self.total - step))} left"
        )

    def _line(self, text: str) -> None:
        clear = "\r\x1b[K" if self.stream.isatty() else ""
        self.stream.write(f"{clear}{self.name}: {text}\n")
        self.stream.flush()


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 3 min, 2 h 05 min."""
    minutes = math.ceil(seconds / 60)
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def make_callbacks(
    rate: Rate,
    by_epoch: bool,
    folder: Path,
    name: str,
    batch_size: int,
    total_steps: int,
    steps_per_epoch: int,
) -> list[keras.callbacks.Callback]:
    """The callbacks in calling order.

    The scheduler comes first, since it puts the rate into the logs that the others read; then the
    stopwatch, which adds the times; then the history, so that a row is on disk before it is shown.
    """

    def at_epoch(epoch: int, _: float) -> float:
        return rate(epoch * steps_per_epoch)

    schedule = keras.callbacks.LearningRateScheduler
    return [
        schedule(at_epoch) if by_epoch else StepRateScheduler(rate),
        Stopwatch(batch_size),
        HistoryLog(folder, steps_per_epoch),
        Progress(name, total_steps, steps_per_epoch),
    ]

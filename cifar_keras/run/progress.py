"""What a run says on stderr while it goes on."""

import sys
import time
from contextlib import suppress
from typing import TextIO

import keras

from cifar_keras.experiment.stages import Plan
from cifar_keras.experiment.steps import Logs
from cifar_keras.listing import duration
from cifar_keras.records import Epoch
from cifar_keras.run.position import Position


class Progress(keras.callbacks.Callback):
    """A line an epoch with the time left; before the first epoch ends, an estimate of the whole.

    On a terminal a line moves within the epoch, too.

    Args:
        name: what the lines begin with.
        position: the run's.
        plan: the stages.
    """

    # The first steps compile and warm up; the estimate is taken from those after them.
    TIMED_FROM, TIMED_TO = 5, 15

    def __init__(self, name: str, position: Position, plan: Plan) -> None:
        super().__init__()
        self.name, self.position, self.plan = name, position, plan
        self.total, self.per_epoch = plan.steps, plan.pace.per_epoch
        self.stream: TextIO = sys.stderr
        self.estimated = False

    @property
    def step(self) -> int:
        """The steps done of all stages."""
        return self._before + self.position.step

    @property
    def _before(self) -> int:
        return self.plan.stages[self.position.stage].steps_before

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.begin_step = self.step
        self.begin = self.shown = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        now = time.perf_counter()
        if batch + 1 == self.TIMED_FROM:
            self.timed = now
        if batch + 1 == self.TIMED_TO and not self.estimated:
            self.estimated = True
            timed = self.begin_step + self.TIMED_FROM
            epochs = (self.total - self.begin_step) / self.per_epoch
            self._line(
                f"{epochs:.4g} epochs to go, about {self._left(timed, now - self.timed)} "
                "and the time to test after each"
            )
        if self.stream.isatty() and now - self.shown > 0.5:
            self.shown = now
            left = self._left(self.begin_step, now - self.begin)
            self._write(f"\r\x1b[K{self.name}: step {self.step} of {self.total}, {left} left")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        row = self.position.rows[-1]
        left = self._left(self._before + self._step_before(row.step), row.seconds)
        self._line(
            f"epoch {row.epoch:.4g} of {self.total / self.per_epoch:.4g}, "
            f"rate {row.learning_rate:.3g}, loss {row.loss:.4f}, "
            f"train {100 * row.accuracy:.2f} %, test {100 * row.test_accuracy:.2f} %, "
            f"{self._validation(row)}{row.images_per_second:.0f} images/s"
            + (f", {left} left" if self.step < self.total else "")
        )

    def _validation(self, row: Epoch) -> str:
        accuracy = row.validation_accuracy
        return "" if accuracy is None else f"validation {100 * accuracy:.2f} %, "

    def _left(self, since: int, seconds: float) -> str:
        """The time left, where the steps from `since` on have taken so long."""
        work = self.plan.work
        done = work(self.step) - work(since)
        return duration(seconds / done * (work(self.total) - work(self.step)))

    def _step_before(self, step: int) -> int:
        return (step - 1) // self.per_epoch * self.per_epoch

    def _line(self, text: str) -> None:
        clear = "\r\x1b[K" if self.stream.isatty() else ""
        self._write(f"{clear}{self.name}: {text}\n")

    def _write(self, text: str) -> None:
        # Whoever was reading may have gone; the run goes on.
        with suppress(OSError):
            self.stream.write(text)
            self.stream.flush()

"""The progress of a training, on stderr."""

import sys
import time
from contextlib import suppress

import keras

from cifar_keras.experiment.stages import Plan
from cifar_keras.experiment.steps import Logs
from cifar_keras.listing import counted, duration
from cifar_keras.records import Epoch
from cifar_keras.run.position import Position
from cifar_keras.terminal import Bar


class Progress(keras.callbacks.Callback):
    """Print one line per epoch with the time left, and an early estimate in the first epoch.

    On a terminal the lines are shorter, and a bar below them shows the steps of the epoch or its
    test. Nothing is read from the device, which would slow the training.

    Args:
        name: the start of each line.
        position: the run's position.
        plan: the stages.
        batch_size: images per step.
        test_steps: batches per test.
        bar: the bar on stderr.
    """

    # The first steps compile and warm up, so the estimate uses those after them.
    TIMED_FROM, TIMED_TO = 5, 15

    def __init__(
        self,
        name: str,
        position: Position,
        plan: Plan,
        batch_size: int,
        test_steps: int,
        bar: Bar,
    ) -> None:
        super().__init__()
        self.name, self.position, self.plan = name, position, plan
        self.batch_size, self.test_steps, self.bar = batch_size, test_steps, bar
        self.total, self.per_epoch = plan.steps, plan.pace.per_epoch
        self.estimated = self.named = self.warm = False

    @property
    def step(self) -> int:
        """The steps done in all stages."""
        return self._before + self.position.step

    @property
    def _before(self) -> int:
        return self.plan.stages[self.position.stage].steps_before

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.timed_step, self.timed = self.step, time.perf_counter()
        if not self.bar.shown:
            return
        if not self.named:
            self.named = True
            self._say_name()
        stage = self.plan.stages[self.position.stage]
        self.begin_step = self._step_before(self.position.step + 1)
        note = "" if self.warm else "compiling the first step"
        self.steps = min(self.per_epoch, stage.steps - self.begin_step)
        self.bar.begin(f"epoch {self._epoch()}", self.steps, note)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if not self.estimated:
            self._estimate(batch + 1)
        if self.bar.shown:
            self.bar.move(self.position.step - self.begin_step, self._note)

    def on_test_begin(self, logs: Logs = None) -> None:
        self.bar.begin("testing", self.test_steps)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.bar.move(batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        row, self.warm = self.position.rows[-1], True
        if self.bar.shown:
            self._show(row)
            return
        parts = [
            f"epoch {row.epoch:.4g} of {self.total / self.per_epoch:.4g}",
            f"lr {row.learning_rate:.3g}",
            f"loss {row.loss:.4f}",
            f"train {100 * row.accuracy:.2f} %",
            _test(row),
            *_validation(row),
            f"{row.images_per_second:.0f} images/s",
        ]
        if self.step < self.total:
            since = self._before + self._step_before(row.step)
            parts.append(f"{self._left(since, row.seconds)} left")
        self._line(", ".join(parts))

    def _estimate(self, steps: int) -> None:
        now = time.perf_counter()
        if steps == self.TIMED_FROM:
            self.timed_step, self.timed, self.warm = self.step, now, True
        elif steps == self.TIMED_TO:
            self.estimated = True
            if not self.bar.shown:
                epochs = (self.total - self.timed_step + self.TIMED_FROM) / self.per_epoch
                left = self._left(self.timed_step, now - self.timed)
                some = counted(epochs, "epoch", ".4g")
                self._line(f"{some} left, about {left} plus evaluation")

    def _left(self, since: int, seconds: float) -> str:
        """Return the time left if the steps since `since` took so many seconds."""
        work = self.plan.work
        done = work(self.step) - work(since)
        return duration(seconds / done * (work(self.total) - work(self.step)))

    def _step_before(self, step: int) -> int:
        """Return the number of steps before the epoch of a step; steps count from 1."""
        return (step - 1) // self.per_epoch * self.per_epoch

    def _line(self, text: str) -> None:
        # The run continues even if the reader has closed the pipe.
        with suppress(OSError):
            print(f"{self.name}: {text}", file=sys.stderr, flush=True)

    def _epoch(self) -> str:
        """Return the current epoch and the number of epochs, as 1/10."""
        epochs = f"{self.total / self.per_epoch:.4g}"
        return f"{self.step // self.per_epoch + 1:>{len(epochs)}}/{epochs}"

    def _note(self) -> str:
        position = self.position
        rate = self.plan.stages[position.stage].rate(position.step - 1)
        parts = [f"step {position.step - self.begin_step}/{self.steps}", f"lr {rate:.3g}"]
        seconds = time.perf_counter() - self.timed
        if self.step > self.timed_step and self.warm:
            images = (self.step - self.timed_step) * self.batch_size
            parts.append(f"{images / seconds:.0f} images/s")
            parts.append(f"{self._left(self.timed_step, seconds)} left")
        return "  ".join(parts)

    def _say_name(self) -> None:
        from rich.text import Text

        epochs = f"{self.total / self.per_epoch:.4g} epochs of {self.per_epoch} steps"
        done = f", {self.step / self.per_epoch:.4g} done" if self.step else ""
        self.bar.line(Text.assemble((self.name, "bold"), f": {epochs}{done}"))

    def _show(self, row: Epoch) -> None:
        from rich.text import Text

        epochs = f"{self.total / self.per_epoch:.4g}"
        validation = "".join(f"{part}  " for part in _validation(row))
        self.bar.line(
            Text.assemble(
                f"epoch {row.epoch:>{len(epochs)}.4g}/{epochs}  ",
                (f"loss {row.loss:.4f}  train {100 * row.accuracy:5.2f} %  ", "dim"),
                (f"{_test(row)}  ", "bold" if row.test_accuracy is not None else "dim"),
                validation,
                (f"lr {row.learning_rate:.3g}  {row.images_per_second:.0f} images/s", "dim"),
            )
        )


def _test(row: Epoch) -> str:
    if row.test_accuracy is None:
        return "not tested"
    return f"test {100 * row.test_accuracy:.2f} %"


def _validation(row: Epoch) -> list[str]:
    accuracy = row.validation_accuracy
    return [] if accuracy is None else [f"validation {100 * accuracy:.2f} %"]

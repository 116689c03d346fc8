"""The history of a run: one row per epoch, with its times."""

import time
from pathlib import Path

import keras
import numpy as np

from cifar_keras.experiment.stages import Plan
from cifar_keras.experiment.steps import Logs
from cifar_keras.records import Epoch, write_history
from cifar_keras.run.position import Position

VALIDATION = ("validation_loss", "validation_accuracy")


class Clock(keras.callbacks.Callback):
    """Measure the times of the current epoch and add them to its logs."""

    def __init__(self, position: Position, batch_size: int) -> None:
        super().__init__()
        self.position, self.batch_size = position, batch_size
        # A run that resumes after the last step of an epoch begins with the end of that epoch.
        self.last = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.position.trained += self._lap()

    def on_test_begin(self, logs: Logs = None) -> None:
        self.last = time.perf_counter()

    def on_test_end(self, logs: Logs = None) -> None:
        # The next test, of the validation images, begins with `on_test_begin` again.
        self._lap()

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


class HistoryLog(keras.callbacks.Callback):
    """Add a row to the history after each epoch, and replace history.csv atomically.

    Keras' CSVLogger loses the learning rate if it comes before the scheduler, takes its columns
    from the first epoch, and can leave half a row. Without a folder, only the position gets the
    rows.
    """

    def __init__(self, position: Position, plan: Plan, folder: Path | None) -> None:
        super().__init__()
        self.position, self.plan, self.folder = position, plan, folder

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        position, plan = self.position, self.plan
        steps = plan.stages[position.stage].steps_before + position.step
        tested = "val_loss" in logs
        row = Epoch(
            epoch=steps / plan.pace.per_epoch,
            stage=position.stage + 1,
            step=position.step,
            learning_rate=_shortest(logs["learning_rate"]),
            loss=_shortest(logs["loss"]),
            accuracy=_shortest(logs["accuracy"]),
            test_loss=_shortest(logs["val_loss"]) if tested else None,
            test_accuracy=_shortest(logs["val_accuracy"]) if tested else None,
            seconds=logs["seconds"],
            images_per_second=logs["images_per_second"],
            **{name: _shortest(logs[name]) for name in VALIDATION if name in logs},
        )
        position.rows.append(row)
        if self.folder:
            write_history(self.folder, position.rows)


def _shortest(value: float) -> float:
    # The shortest decimal of the same float32: 0.1 and not 0.100000001490116.
    return float(str(np.float32(value)))

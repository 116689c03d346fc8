"""Log the history to TensorBoard and MLflow; history.csv remains the reference."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import keras
import tensorflow as tf

from cifar_keras import records
from cifar_keras.experiment.steps import Logs
from cifar_keras.files import write_bytes
from cifar_keras.recipe import flat
from cifar_keras.run.folder import Job
from cifar_keras.run.position import Position

logger = logging.getLogger("cifar_keras")


class Sink(Protocol):
    """A destination for the rows of the history."""

    def add(self, number: int, points: dict[str, float]) -> None:
        """Log the figures of a row of the history; rows are counted from 1."""

    def finish(self) -> None:
        """Record that the run is finished."""


class Tracker(keras.callbacks.Callback):
    """Log the history row by row; if the sink fails, warn and continue the run without it.

    Args:
        name: the sink's name in the warning.
        open_sink: creates the sink; all rows so far are logged first.
        position: the run's position.
    """

    def __init__(self, name: str, open_sink: Callable[[], Sink], position: Position) -> None:
        super().__init__()
        self.name, self.position = name, position
        self.sink: Sink | None = None
        self._attempt(lambda: self._open(open_sink))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._attempt(lambda: self._add(len(self.position.rows)))

    def finish(self) -> None:
        """Tell the sink that the run is finished."""
        if self.sink:
            self._attempt(self.sink.finish)

    def _open(self, open_sink: Callable[[], Sink]) -> None:
        self.sink = open_sink()
        for number in range(1, len(self.position.rows) + 1):
            self._add(number)

    def _add(self, number: int) -> None:
        if self.sink:
            self.sink.add(number, dict(_points(self.position.rows[number - 1])))

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self.sink = None
            reason = " ".join(str(error).split()) or type(error).__name__
            logger.warning("%s: %s; the run continues without it", self.name, reason)


def _points(row: records.Epoch) -> Iterator[tuple[str, float]]:
    for key, value in row.model_dump().items():
        if key not in ("stage", "step") and value is not None:
            yield key, float(value)


def start_trackers(job: Job, position: Position) -> list[Tracker]:
    """Return the trackers that the job asks for, with all rows so far logged."""
    sinks: dict[str, Callable[[], Sink]] = {
        "tensorboard": lambda: TensorBoard(job.folder),
        "mlflow": lambda: Mlflow(job),
    }
    return [Tracker(f"--{name}", sinks[name], position) for name in job.trackers]


class TensorBoard:
    """Event files in the run folder, rewritten at each start, so that no point appears twice.

    Keras' own callback would start at the resumed epoch, after the points of the interrupted one.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder / records.TENSORBOARD, ignore_errors=True)
        self.writer = tf.summary.create_file_writer(str(folder / records.TENSORBOARD))

    def add(self, number: int, points: dict[str, float]) -> None:
        """Write the row's figures, with the row's number as their step."""
        with self.writer.as_default():
            for key, value in points.items():
                tf.summary.scalar(key, value, step=number)
        self.writer.flush()

    def finish(self) -> None:
        """Close the file."""
        self.writer.close()


class Mlflow:
    """An MLflow run, whose id is stored in mlflow.json; rows that it has are not sent again."""

    def __init__(self, job: Job) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient()
        self.id = self._found(job.folder / records.MLFLOW) or self._created(job)
        known = self.client.get_metric_history(self.id, "test_accuracy")
        self.known = {point.step for point in known}

    def add(self, number: int, points: dict[str, float]) -> None:
        """Send the row's figures, unless MLflow has them."""
        from mlflow.entities import Metric

        if number not in self.known:
            now = int(1000 * time.time())
            metrics = [Metric(key, value, now, number) for key, value in points.items()]
            self.client.log_batch(self.id, metrics)
            self.known.add(number)

    def finish(self) -> None:
        """Mark the run as finished."""
        self.client.set_terminated(self.id)

    def _found(self, path: Path) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            run_id = str(json.loads(path.read_text())["run_id"])
            self.client.get_run(run_id)
        except (OSError, ValueError, KeyError, MlflowException):
            # Not tracked yet, or on another server.
            return None
        return run_id

    def _created(self, job: Job) -> str:
        from mlflow.entities import Param

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "cifar_keras")
        experiment = self.client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else None
        run = self.client.create_run(
            experiment_id or self.client.create_experiment(name),
            run_name=f"{job.name} seed {job.seed}",
            tags={"recipe_sha256": job.recipe.sha256()},
        )
        settings = {"seed": job.seed, "budget": job.budget} | flat(job.recipe.settings())
        params = [Param(key, str(value)) for key, value in settings.items()]
        self.client.log_batch(run.info.run_id, params=params)
        content = json.dumps({"run_id": run.info.run_id}) + "\n"
        write_bytes(job.folder / records.MLFLOW, content.encode())
        return str(run.info.run_id)

"""A run's folder during training: its lock, its identity and its events."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.files import unwritable
from cifar_keras.provenance import new_event, now, provenance
from cifar_keras.recipe import Recipe
from cifar_keras.run.position import Position

logger = logging.getLogger("cifar_keras")


@dataclass(frozen=True)
class Job:
    """Everything that determines a run's figures, and where they are written.

    `weights` is the user's copy of the pretrained weights that the recipe starts from, None to
    download them. `trackers` are "tensorboard" and "mlflow", or one or none of them. `jit` is
    "auto", "on" or "off" and affects only rounding. `test_every` is the number of epochs from test
    to test, 0 to test only after the last; it does not affect the weights.
    """

    name: str
    recipe: Recipe
    seed: int
    budget: str
    overrides: tuple[str, ...]
    folder: Path
    command: tuple[str, ...]
    weights: Path | None = None
    trackers: tuple[str, ...] = ()
    jit: str = "auto"
    test_every: int = 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder for this process; the lock ends with the process, even if it is killed.

    Raises:
        RunError: another process has the lock, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / records.LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(folder / records.LOCK, error) from None
    # `cifar-keras runs` takes the lock for a moment to see whether it is free.
    if not (_take(handle) or _take(handle, after=0.1)):
        os.close(handle)
        raise RunError(f"another process is training in '{folder}'; wait for it, or stop it")
    try:
        yield
    finally:
        if folder.is_dir() and [path.name for path in folder.iterdir()] == [records.LOCK]:
            # Nothing was written, so remove the folder again.
            (folder / records.LOCK).unlink()
            folder.rmdir()
        os.close(handle)


def _take(handle: int, after: float = 0.0) -> bool:
    time.sleep(after)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def move_aside(folder: Path) -> Path | None:
    """Rename a run folder for --fresh; return its new path, or None if there was no run."""
    if not (folder / records.RUN).exists():
        return None
    number = 1
    while (aside := folder.with_name(f"{folder.name}{records.ASIDE}{number}")).exists():
        number += 1
    with locked(folder):
        folder.rename(aside)
    return aside


def identity(job: Job, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data that identify this job's run in its checkpoints."""
    return {
        "recipe": job.recipe.sha256(),
        "precision": job.recipe.precision,
        "seed": job.seed,
        "budget": job.budget,
        "data": data["content_sha256"],
    }


def open_run(
    job: Job, data: dict[str, Any], devices: list[str], preprocessing: records.Preprocessing
) -> None:
    """Write run.json and preprocessing.json if they do not exist.

    Raises:
        RunError: the folder cannot be written.
    """
    # Runs that were started by an earlier version have none.
    if not (job.folder / records.PREPROCESSING).exists():
        records.write_preprocessing(job.folder, preprocessing)
    if (job.folder / records.RUN).exists():
        return
    run = records.Run(
        name=job.name,
        recipe=job.recipe,
        recipe_sha256=job.recipe.sha256(),
        seed=job.seed,
        budget=job.budget,
        overrides=list(job.overrides),
        command=list(job.command),
        started=now(),
        provenance=provenance(data, devices),
        test_every=job.test_every,
    )
    records.write_record(job.folder, records.RUN, run)


def record(
    folder: Path,
    kind: Any,
    position: Position,
    machine: dict[str, Any],
    note: str | None = None,
) -> None:
    """Add an event to run.json; `machine` is what `provenance.machine` returns."""
    files = records.file_hashes(folder) if kind == "finished" else {}
    event = new_event(kind, position.stage + 1, position.step, machine, note, files)
    before = records.read_run(folder).training_events
    if kind == "resumed" and before:
        _warn_of_rounding(before[-1], event)
    records.add_event(folder, event)


def _warn_of_rounding(before: records.Event, now: records.Event) -> None:
    then, here = before.versions | before.machine, now.versions | now.machine
    # Keys that an earlier version did not record are not compared.
    both = [key for key in here if key in then]
    changed = [f"{key} {then[key]} -> {here[key]}" for key in both if then[key] != here[key]]
    if changed:
        logger.warning(
            "resumed under different conditions (%s): the run continues, but may no longer be "
            "bit-identical to an uninterrupted one",
            ", ".join(changed),
        )

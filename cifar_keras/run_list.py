"""The run folders as a table: how far each has come, and whether something trains in it now."""

import fcntl
import logging
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.listing import duration, table
from cifar_keras.schedules import Pace

HEADER = ("folder", "recipe", "seed", "epoch", "test accuracy", "time left", "state")

_log = logging.getLogger("cifar_keras")


def runs_table(folders: Sequence[Path]) -> str:
    """A row a run folder, seeds in their order; a damaged one is left out with a warning."""
    rows = []
    for folder in folders:
        try:
            run = records.read_run(folder)
            rows.append((folder.parent, run.seed, folder.name, _row(folder, run)))
        except RunError as error:
            reason = " ".join(str(error).split())
            _log.warning("run folder '%s' is not listed: %s; restore or remove it", folder, reason)
    return table(HEADER, [row for *_, row in sorted(rows)], right=(2, 3, 4, 5))


def _row(folder: Path, run: records.Run) -> tuple[str, ...]:
    at = standing(folder, run)
    name = run.recipe.named(run.name)
    return (
        _shown(folder),
        f"{name} (synthetic)" if run.recipe.synthetic else name,
        str(run.seed),
        *at.cells,
        at.state,
    )


class Standing(NamedTuple):
    """How far a run is: `done` epochs of `total`; `accuracy` is that of the last test.

    It is None before the first test, `seconds_left` before the first epoch. `state` is "running",
    "done", "failed" or "interrupted".
    """

    done: float
    total: float
    accuracy: float | None
    seconds_left: float | None
    state: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """Epoch, test accuracy and time left, as a table shows them."""
        left = None if self.state == "done" else self.seconds_left
        return (
            f"{self.done:.4g} of {self.total:.4g}",
            "-" if self.accuracy is None else f"{100 * self.accuracy:.2f} %",
            "-" if left is None else duration(left),
        )


def standing(folder: Path, run: records.Run) -> Standing:
    """Return how far the folder's run is, its time left by the pace so far.

    Raises:
        RunError: a file of the folder is damaged.
    """
    history = records.read_history(folder) if (folder / records.HISTORY).exists() else []
    state = _state(folder, run)
    done, total = _epochs(run, history)
    if not history:
        return Standing(done, total, None, None, state)
    pace = sum(row.seconds for row in history) / done
    tests = [row.test_accuracy for row in history if row.test_accuracy is not None]
    accuracy = tests[-1] if tests else None
    return Standing(done, total, accuracy, pace * max(0, total - done), state)


def _epochs(run: records.Run, history: Sequence[records.Epoch]) -> tuple[float, float]:
    """The epochs done, and those of all stages; in whole steps once an epoch's are known."""
    if not history:
        return 0.0, float(run.recipe.epochs * Fraction(run.budget))
    per_epoch = max(1, round(history[0].step / history[0].epoch))
    pace = Pace(per_epoch, run.budget)
    steps = sum(pace.step_of(stage.epochs) for stage in run.recipe.stages)
    return round(history[-1].epoch * per_epoch) / per_epoch, steps / per_epoch


def _state(folder: Path, run: records.Run) -> str:
    if _held(folder):
        return "running"
    if (folder / records.RESULT).exists():
        records.read_result(folder)
        return "done"
    events = run.training_events
    return "failed" if events and events[-1].kind == "failed" else "interrupted"


def _held(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        handle = os.open(folder / records.LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared, so that two listings do not take each other for a training; let go at once.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)

"""List run folders: the progress and state of each."""

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

HEADER = ("folder", "recipe", "seed", "epoch", "test accuracy", "validation", "time left", "state")
_VALIDATION = HEADER.index("validation")

_log = logging.getLogger("cifar_keras")


def runs_table(folders: Sequence[Path]) -> str:
    """Return a table with a row per run folder; damaged ones are left out with a warning.

    There is a column for the validation accuracy if a run has one.
    """
    rows = []
    for folder in folders:
        try:
            run = records.read_run(folder)
            rows.append((folder.parent, run.seed, folder.name, _row(folder, run)))
        except RunError as error:
            reason = " ".join(str(error).split())
            _log.warning("run folder '%s' is not listed: %s; restore or remove it", folder, reason)
    lines = [HEADER, *(row for *_, row in sorted(rows))]
    if all(line[_VALIDATION] == "-" for line in lines[1:]):
        lines = [line[:_VALIDATION] + line[_VALIDATION + 1 :] for line in lines]
    header, *cells = lines
    return table(header, cells, right=tuple(range(2, len(header) - 1)))


def _row(folder: Path, run: records.Run) -> tuple[str, ...]:
    at = standing(folder, run)
    epoch, accuracy, left = at.cells
    name = run.recipe.named(run.name)
    return (
        _shown(folder),
        f"{name} (synthetic)" if run.recipe.synthetic else name,
        str(run.seed),
        epoch,
        accuracy,
        percent(at.validation),
        left,
        at.state,
    )


class Standing(NamedTuple):
    """The progress of a run: `done` epochs of `total`.

    `accuracy` is that of the last test, None before the first. `seconds_left` is None before the
    first epoch. `state` is "running", "done", "failed" or "interrupted". `validation` is the last
    validation accuracy, if any.
    """

    done: float
    total: float
    accuracy: float | None
    seconds_left: float | None
    state: str
    validation: float | None = None

    @property
    def cells(self) -> tuple[str, str, str]:
        """Epoch, test accuracy and time left, as a table shows them."""
        left = None if self.state == "done" else self.seconds_left
        return (
            f"{self.done:.4g} of {self.total:.4g}",
            percent(self.accuracy),
            "-" if left is None else duration(left),
        )


def percent(accuracy: float | None) -> str:
    """Return an accuracy as a table shows it."""
    return "-" if accuracy is None else f"{100 * accuracy:.2f} %"


def standing(folder: Path, run: records.Run) -> Standing:
    """Return the progress of the folder's run; its time left is by its speed so far.

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
    accuracy, left = tests[-1] if tests else None, pace * max(0, total - done)
    return Standing(done, total, accuracy, left, state, history[-1].validation_accuracy)


def _epochs(run: records.Run, history: Sequence[records.Epoch]) -> tuple[float, float]:
    """Return the epochs done and in all, in whole steps once the steps per epoch are known."""
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
    """Return whether a process holds the folder's lock."""
    try:
        handle = os.open(folder / records.LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        # The lock is shared, so that two listings do not look like a training to each other.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)

"""Read unfinished runs, which are shown with their epoch, but in no mean and no verdict."""

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cifar_keras.errors import RunError
from cifar_keras.records import HISTORY, RESULT, Run, find_runs, read_history, read_run
from cifar_keras.report.finished import DASH, GROUP, FinishedRun, LeftOut
from cifar_keras.tables import history_frame

_log = logging.getLogger("cifar_keras")


class UnfinishedRun(NamedTuple):
    """A run that is not finished; `folder` and `history` are as in `FinishedRun`.

    The history may have no rows yet.
    """

    folder: str
    run: Run
    history: pd.DataFrame

    @property
    def group(self) -> tuple[Any, ...]:
        """The values of `finished.GROUP`, equal for all runs of a row."""
        run = self.run
        return run.name, run.precision, run.budget, tuple(sorted(run.overrides)), run.recipe_sha256

    @property
    def done(self) -> float:
        """The epochs trained so far."""
        return 0.0 if self.history.empty else float(self.history["epoch"].iloc[-1])

    @property
    def epochs(self) -> str:
        """The epochs trained so far, of how many."""
        total = float(self.run.recipe.epochs * Fraction(self.run.budget))
        return f"{self.done:.4g} of {total:.4g}"

    @property
    def accuracy(self) -> float | None:
        """The test accuracy so far, in percent; None before the first test."""
        return None if self.errors.empty else 100 - float(self.errors.iloc[-1])

    @property
    def errors(self) -> "pd.Series[float]":
        """The test errors so far, in percent over epochs."""
        return 100 * (1 - self.history.set_index("epoch")["test_accuracy"].dropna())

    @property
    def last_event(self) -> str:
        """The last event in run.json."""
        return self.run.events[-1].kind if self.run.events else DASH


def unfinished_runs(
    roots: Sequence[Path], finished: pd.DataFrame
) -> tuple[list[UnfinishedRun], list[LeftOut]]:
    """Return the unfinished runs below `roots`, by folder, and the damaged folders.

    Of runs that belong to the same row and have the same seed, only the one started last is
    returned (of copies, the one in the last root), unless one of the `finished` was started at the
    same time or later.
    """
    newest: dict[Any, UnfinishedRun] = {}
    damaged = []
    for root in roots:
        for folder in find_runs([root]):
            name = folder.relative_to(root).as_posix()
            try:
                if (folder / RESULT).is_file():
                    continue
                found = UnfinishedRun(name, read_run(folder), _history(folder))
            except RunError as error:
                reason = " ".join(str(error).split()).replace(str(folder), name)
                _log.warning("run folder '%s' is left out of the report: %s", folder, reason)
                damaged.append(LeftOut(name, reason))
                continue
            key = (*found.group, found.run.seed)
            if key not in newest or found.run.started >= newest[key].run.started:
                newest[key] = found
    for each in map(FinishedRun._make, finished.to_numpy().tolist()):
        key = (*(getattr(each, field) for field in GROUP), each.seed)
        if key in newest and newest[key].run.started <= each.started:
            del newest[key]
    return sorted(newest.values(), key=lambda each: (each.folder, each.run.started)), damaged


def _history(folder: Path) -> pd.DataFrame:
    rows = read_history(folder) if (folder / HISTORY).is_file() else []
    history = history_frame(rows)
    if rows and not history["epoch"].is_unique:
        raise RunError(f"'{folder}' is damaged: its history has an epoch twice")
    return history

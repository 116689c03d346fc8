"""Read the finished runs from their folders; each counts once, unusable ones are reported."""

import logging
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from cifar_keras.errors import RunError
from cifar_keras.recipe import Precision
from cifar_keras.records import (
    HALF_WEIGHTS,
    RESULT,
    WEIGHTS,
    Result,
    Run,
    find_runs,
    of_the_same_weights,
    read_history,
    read_result,
    read_run,
    read_tta,
)
from cifar_keras.summary import why_unfinished
from cifar_keras.tables import history_frame

DASH = "—"

_log = logging.getLogger("cifar_keras")


class FinishedRun(NamedTuple):
    """A row of the table of runs; accuracies and errors are in percent.

    `folder` is relative to the folder of run folders. `augmented` is NaN unless `evaluate --tta`
    was run on these weights; `best` is NaN unless every epoch was tested. `validation` is the
    accuracy on the held-out images and `by_validation` the test accuracy of the best epoch on them;
    both are NaN without held-out images. `weights` is whether the folder has weights, so that
    `verify` can recompute the accuracy. `history` has the columns of history.csv.
    """

    name: str
    precision: Precision
    budget: str
    overrides: tuple[str, ...]
    recipe_sha256: str
    seed: int
    started: str
    folder: str
    accuracy: float
    best: float
    augmented: float
    validation: float
    by_validation: float
    train_error: float
    seconds: float
    memory_mib: float
    hardware: str
    revision: str
    data_copy: str
    versions: dict[str, str]
    weights: bool
    history: pd.DataFrame
    run: Run
    result: Result


# The columns that are equal for all runs of a row of the comparison.
GROUP = ["name", "precision", "budget", "overrides", "recipe_sha256"]
_FIGURES = [
    *("accuracy", "best", "augmented", "validation", "by_validation"),
    *("train_error", "seconds", "memory_mib"),
]


class LeftOut(NamedTuple):
    """A run folder that was left out, and the reason."""

    name: str
    reason: str


def finished_runs(roots: Sequence[Path]) -> tuple[pd.DataFrame, list[LeftOut]]:
    """Return the finished runs below `roots`, a row each, and the folders left out.

    The columns are the fields of `FinishedRun`.

    A run without result.json is unfinished and ignored. A damaged folder is left out with a
    warning. Of runs with the same recipe, budget, overrides, precision and seed, only the one
    started last counts. Runs with the same start time are copies, of which the one in the last root
    counts.
    """
    found, left_out = [], []
    for root in roots:
        for folder in find_runs([root]):
            name = folder.relative_to(root).as_posix()
            try:
                if (folder / RESULT).is_file():
                    found.append(_read(folder, name))
            except RunError as error:
                reason = " ".join(str(error).split()).replace(str(folder), name)
                _log.warning("run folder '%s' is left out of the report: %s", folder, reason)
                left_out.append(LeftOut(name, reason))
    runs = pd.DataFrame(found, columns=FinishedRun._fields, dtype=object)
    runs = runs.astype(dict.fromkeys(_FIGURES, float)).sort_values("started", kind="stable")
    newest = runs.groupby([*GROUP, "seed"])["started"].transform("last")
    older = runs[runs["started"] != newest]
    reasons = "started " + older["started"] + "; the same seed was run again later"
    left_out += map(LeftOut, older["folder"], reasons)
    return runs.drop_duplicates([*GROUP, "seed"], keep="last"), left_out


def _read(folder: Path, name: str) -> FinishedRun:
    rows, result, tta = read_history(folder), read_result(folder), read_tta(folder)
    every_test = all(row.test_accuracy is not None for row in rows)
    run = read_run(folder)
    if reason := why_unfinished(run, rows, result):
        raise RunError(f"'{folder}' is damaged: {reason}")
    history = history_frame(rows)
    # Ignore a TTA figure that was measured with other weights.
    augmented = tta.test_accuracy if tta and of_the_same_weights(tta, result) else nan
    held = result.validation
    chosen = held.best.test_accuracy if held else None
    versions = _recorded(run, "versions")
    return FinishedRun(
        name=run.name,
        precision=run.precision,
        budget=run.budget,
        overrides=tuple(sorted(run.overrides)),
        recipe_sha256=run.recipe_sha256,
        seed=run.seed,
        started=run.started,
        folder=name,
        accuracy=100 * result.test_accuracy,
        best=100 * result.best_on_test.test_accuracy if every_test else nan,
        augmented=100 * augmented,
        validation=100 * (held.accuracy if held else nan),
        by_validation=100 * (nan if chosen is None else chosen),
        train_error=100 * (1 - history["accuracy"].iloc[-1]),
        seconds=result.seconds,
        memory_mib=result.peak_memory_mib,
        hardware=_hardware(run),
        revision=_revision(run),
        data_copy=_data_copy(run),
        versions={key: versions.get(key) or DASH for key in ("cifar_keras", "tensorflow", "keras")},
        weights=any((folder / name).is_file() for name in (WEIGHTS, HALF_WEIGHTS)),
        history=history,
        run=run,
        result=result,
    )


def _recorded(run: Run, section: str) -> dict[str, Any]:
    part = run.provenance.get(section)
    return part if isinstance(part, dict) else {}


def _hardware(run: Run) -> str:
    """Return the GPUs, if any, then processor and cores."""
    gpus, cpu, cores = (_recorded(run, "hardware").get(key) for key in ("gpus", "cpu", "cores"))
    parts = [str(gpu) for gpu in gpus] if isinstance(gpus, list) else []
    if cpu:
        parts.append(f"{cpu} ({cores} cores)" if cores else str(cpu))
    return ", ".join(parts) or DASH


def _revision(run: Run) -> str:
    """Return the short git revision, with "dirty" if there were uncommitted changes."""
    git = _recorded(run, "git")
    short = str(git.get("revision") or DASH)[:8]
    return f"{short} dirty" if git.get("dirty") and short != DASH else short


def _data_copy(run: Run) -> str:
    """Return whether the data were the official files."""
    data = _recorded(run, "data")
    if run.recipe.synthetic or data.get("synthetic"):
        return "synthetic"
    if data.get("official") is None:
        return DASH
    if data["official"]:
        return "official"
    same = data.get("content_official")
    return "unofficial copy, contents official" if same else "unofficial copy"

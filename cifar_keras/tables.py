"""Runs and recipes as tables, from Python; documented in `docs/python.md`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
from cifar_keras.run_list import standing

_COLUMNS = [
    *("folder", "recipe", "seed", "precision", "budget", "overrides", "dataset", "state"),
    *("epoch", "epochs", "test_accuracy", "tta_accuracy", "seconds_left"),
]

logger = logging.getLogger("cifar_keras")


def runs(run_dir: str | Path | Sequence[str | Path] = "runs") -> pd.DataFrame:
    """Return a table of all runs below one or several folders, one row per run.

    Its columns are `folder`, `recipe`, `seed`, `precision`, `budget`, `overrides`, `dataset`,
    `state` ("running", "done", "failed" or "interrupted"), `epoch` (how many are done), `epochs`
    (how many there will be), `test_accuracy` (after the last epoch), `tta_accuracy` (with test-time
    augmentation), both fractions, and `seconds_left`. Unknown figures are NaN. A damaged run is
    left out with a warning.
    """
    roots = [run_dir] if isinstance(run_dir, str | Path) else run_dir
    rows = []
    for folder in records.find_runs([Path(root) for root in roots]):
        try:
            rows.append(_row(folder))
        except RunError as error:
            logger.warning("run folder '%s' is left out: %s; restore or remove it", folder, error)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _row(folder: Path) -> dict[str, Any]:
    run, tta = records.read_run(folder), records.read_tta(folder)
    at = standing(folder, run)
    return {
        "folder": str(folder),
        "recipe": run.name,
        "seed": run.seed,
        "precision": run.precision,
        "budget": float(run.budget),
        "overrides": " ".join(run.overrides),
        "dataset": run.recipe.dataset,
        "state": at.state,
        "epoch": at.done,
        "epochs": at.total,
        "test_accuracy": _number(at.accuracy),
        "tta_accuracy": _number(tta.test_accuracy if tta else None),
        "seconds_left": 0.0 if at.state == "done" else _number(at.seconds_left),
    }


def recipes() -> pd.DataFrame:
    """Return a table of the shipped recipes, one row per recipe.

    Its columns are `name`, `title`, `system`, `dataset`, `parameters`, `epochs` and
    `published_accuracy`, a fraction, NaN if none was published.
    """
    rows = []
    for name in recipe_names():
        recipe = load_recipe(recipe_path(name))
        published = recipe.reference.accuracy / 100 if recipe.reference else None
        rows.append(
            {
                "name": name,
                "title": recipe.title,
                "system": recipe.system,
                "dataset": recipe.dataset,
                "parameters": recipe.parameters,
                "epochs": float(recipe.epochs),
                "published_accuracy": _number(published),
            }
        )
    return pd.DataFrame(rows)


def history_frame(rows: Sequence[records.Epoch]) -> pd.DataFrame:
    """Return the rows of history.csv as a table; missing figures are NaN."""
    trees = [row.model_dump() for row in rows]
    table = pd.DataFrame(trees, columns=list(records.Epoch.model_fields))
    return table.astype({"test_loss": float, "test_accuracy": float})


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

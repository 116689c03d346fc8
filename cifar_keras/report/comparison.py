"""The comparison as one table of numbers: comparison.csv."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cifar_keras.recipe import Reference
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.verdict import verdict

_FIGURES = {
    "accuracy": "accuracy",
    "augmented": "augmented_at_test",
    "best": "best_epoch_chosen_on_test",
}
# Columns that exist only if images were held out: figure and statistic.
_VALIDATION = {
    "validation_accuracy_mean_percent": ("validation", "mean"),
    "validation_accuracy_sd_percent": ("validation", "std"),
    "test_accuracy_chosen_by_validation_mean_percent": ("by_validation", "mean"),
    "test_accuracy_chosen_by_validation_sd_percent": ("by_validation", "std"),
}
_STATISTICS = {"mean": "mean", "sd": "std", "min": "min", "max": "max"}


def comparison(rows: Sequence[Row]) -> pd.DataFrame:
    """Return all numbers of the rows, to four decimals; full and other runs share no column."""
    cells = [_cells(row) for row in rows if row.counts]
    table = pd.DataFrame(cells, dtype=object)
    return table.drop(columns=[name for name in _VALIDATION if table[name].isna().all()])


def _cells(row: Row) -> dict[str, Any]:
    found = verdict(row)
    cells = {
        "recipe": row.name,
        "title": row.recipe.title,
        "system": row.recipe.system,
        "dataset": row.recipe.dataset,
        "synthetic": row.recipe.synthetic,
        "kind": "full" if row.full else "scaled or modified",
        "precision": row.recipe.number_type,
        "budget": row.budget,
        "overrides": " ".join(row.overrides),
        "note": row.note,
        "recipe_sha256": row.recipe_sha256,
        **_published(row.recipe.reference),
        **_reached("full", row, row.full),
        "full_difference_points": found.difference,
        "full_difference_margin_points": found.margin,
        "verdict": found.text,
        **_reached("scaled_or_modified", row, not row.full),
        **{name: getattr(row.runs[f], s)() for name, (f, s) in _VALIDATION.items()},
        "epochs": f"{row.epochs:g}",
        "full_epochs": f"{row.full_epochs:g}",
        "parameters": row.parameters,
        "seconds_per_run": row.runs["seconds"].mean(),
        "seconds_per_epoch": row.seconds_per_epoch,
        "hardware": None if row.runs.empty else row.hardware,
        "data": row.dataset,
        "seeds": " ".join(map(str, row.runs["seed"])),
        "versions": " ".join(sorted({run.versions["cifar_keras"] for run in row.each} - {DASH})),
        "revisions": "; ".join(sorted({*row.runs["revision"]} - {DASH})),
    }
    # Adding 0 turns a rounded -0.0 into 0.0.
    return {k: round(v, 4) + 0 if isinstance(v, float) else v for k, v in cells.items()}


def _published(reference: Reference | None) -> dict[str, Any]:
    spread, band = reference and reference.spread, reference and reference.band
    return {
        "published_accuracy_percent": reference and reference.accuracy,
        "published_epoch": reference and reference.epoch,
        "published_runs": reference and reference.runs,
        "published_statistic": reference and reference.statistic,
        "published_augmented_at_test": reference and reference.augmented,
        "published_verified": reference and reference.verified,
        "published_inferred": reference and " ".join(reference.inferred),
        "published_mean_percent": spread and spread.mean,
        "published_sd_points": spread and spread.deviation,
        "band_points": band and band.points,
        "published_source": reference and reference.source,
    }


def _reached(kind: str, row: Row, applies: bool) -> dict[str, Any]:
    """Return count, mean, deviation and extremes of each figure; empty unless `applies`."""
    figures = row.runs if applies else row.runs.iloc[:0]
    cells = {f"{kind}_n": len(figures) if applies else None}
    for figure, name in _FIGURES.items():
        for short, statistic in _STATISTICS.items():
            cells[f"{kind}_{name}_{short}_percent"] = getattr(figures[figure], statistic)()
    cells[f"{kind}_augmented_at_test_n"] = figures["augmented"].count() if applies else None
    return cells

"""comparison.csv: every column of every row, for programs."""

import csv
import io
from collections.abc import Sequence

from cifar_keras.recipe import Reference
from cifar_keras.report.results import Row
from cifar_keras.report.values import Values
from cifar_keras.report.verdict import verdict


def comparison_csv(rows: Sequence[Row]) -> str:
    """All columns of all rows; what full and other runs reached never shares a column."""
    cells = [_csv_cells(row) for row in rows]
    text = io.StringIO()
    if cells:
        writer = csv.DictWriter(text, list(cells[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells)
    return text.getvalue()


def _csv_cells(row: Row) -> dict[str, object]:
    found = verdict(row)
    return {
        "recipe": row.name,
        "title": row.recipe.title,
        "system": row.recipe.system,
        "dataset": row.recipe.dataset,
        "synthetic": row.recipe.synthetic,
        "kind": "full" if row.full else "scaled or altered",
        "precision": row.recipe.number_type,
        "budget": row.budget,
        "overrides": " ".join(row.overrides),
        "note": row.note,
        "recipe_sha256": row.recipe_sha256,
        **_published(row.recipe.reference),
        **_accuracies("full", row if row.full else None),
        "full_difference_points": _rounded(found.difference),
        "full_difference_margin_points": _rounded(found.margin),
        "verdict": found.text,
        **_accuracies("scaled_or_altered", None if row.full else row),
        "epochs": f"{row.epochs:g}",
        "full_epochs": f"{row.full_epochs:g}",
        "parameters": row.parameters,
        "seconds_per_run": _rounded(row.seconds),
        "seconds_per_epoch": _rounded(row.seconds and row.seconds / row.epochs),
        "hardware": row.hardware if row.samples else None,
        "data": row.dataset,
        "seeds": " ".join(str(sample.run.seed) for sample in row.samples),
    }


def _published(reference: Reference | None) -> dict[str, object]:
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


def _accuracies(kind: str, row: Row | None) -> dict[str, object]:
    none = Values(())
    cells: dict[str, object] = {f"{kind}_n": row and row.last.count}
    for name, values in (
        ("accuracy", row.last if row else none),
        ("augmented_at_test", row.augmented if row else none),
        ("best_epoch_chosen_on_test", row.best if row else none),
    ):
        cells |= {
            f"{kind}_{name}_mean_percent": _rounded(values.mean),
            f"{kind}_{name}_sd_percent": _rounded(values.deviation),
            f"{kind}_{name}_min_percent": _rounded(values.smallest),
            f"{kind}_{name}_max_percent": _rounded(values.largest),
        }
    cells[f"{kind}_augmented_at_test_n"] = row and row.augmented.count
    return cells


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4) + 0

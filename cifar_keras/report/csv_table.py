"""comparison.csv: every column of every row, for programs."""

import csv
import io
from collections.abc import Sequence

from cifar_keras.report.results import Row


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
    reference = row.recipe.reference
    return {
        "recipe": row.name,
        "title": row.recipe.title,
        "system": row.recipe.system,
        "dataset": row.recipe.dataset,
        "synthetic": row.recipe.synthetic,
        "kind": "full" if row.full else "scaled or altered",
        "budget": row.budget,
        "overrides": " ".join(row.overrides),
        "note": row.note,
        "recipe_sha256": row.recipe_sha256,
        "published_accuracy_percent": reference and reference.accuracy,
        "published_epoch": reference and reference.epoch,
        "published_runs": reference and reference.runs,
        "published_statistic": reference and reference.statistic,
        "published_augmented_at_test": reference and reference.augmented,
        "published_verified": reference and reference.verified,
        "published_source": reference and reference.source,
        **_accuracies("full", row if row.full else None),
        "full_difference_points": _rounded(row.difference),
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


def _accuracies(kind: str, row: Row | None) -> dict[str, object]:
    values = [sample.accuracy for sample in row.samples] if row else []
    best = row.best_on_test if row else (None, None)
    augmented = row.augmented if row else (None, None, None)
    return {
        f"{kind}_n": len(values) if row else None,
        f"{kind}_accuracy_mean_percent": _rounded(row.mean if row else None),
        f"{kind}_accuracy_sd_percent": _rounded(row.deviation if row else None),
        f"{kind}_accuracy_min_percent": _rounded(min(values, default=None)),
        f"{kind}_accuracy_max_percent": _rounded(max(values, default=None)),
        f"{kind}_augmented_at_test_n": augmented[2],
        f"{kind}_augmented_at_test_mean_percent": _rounded(augmented[0]),
        f"{kind}_augmented_at_test_sd_percent": _rounded(augmented[1]),
        f"{kind}_best_epoch_chosen_on_test_mean_percent": _rounded(best[0]),
        f"{kind}_best_epoch_chosen_on_test_sd_percent": _rounded(best[1]),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4) + 0

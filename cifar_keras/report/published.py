"""Published curves: the CSV files of reports/published."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Curve

_Record = dict[str, str]

_PACKAGE = Path(__file__).resolve().parent.parent


def published_folder() -> Path:
    """The folder of the published curves: of the checkout, or of the installed package."""
    checkout = _PACKAGE.parent / "reports" / "published"
    return checkout if checkout.is_dir() else _PACKAGE / "published"


def published_curve(curve: Curve, folder: Path | None = None) -> list[tuple[float, float]]:
    """(epochs finished, test error in percent), by rising epoch; the files hold fractions.

    Epochs are counted through all stages, as in our own histories.

    Raises:
        RecipeError: the file, a column or the rows that the recipe names are not there.
    """
    path = (folder or published_folder()) / curve.file
    try:
        rows = _records(path)
    except OSError as error:
        raise RecipeError(f"published curve '{curve.file}': {error.strerror}") from None
    try:
        chosen = [row for row in rows if all(row[k] == str(v) for k, v in curve.where.items())]
        points = [(epoch, float(row[curve.value])) for epoch, row in _in_sequence(chosen, curve)]
    except KeyError as error:
        known = ", ".join(rows[0])
        raise RecipeError(
            f"published curve '{curve.file}': no column {error}; there are: {known}"
        ) from None
    except ValueError as error:
        raise RecipeError(f"published curve '{curve.file}': {error}") from None
    if not points:
        raise RecipeError(f"published curve '{curve.file}': no rows where {curve.where}")
    return sorted(
        (epoch, 100 * (value if curve.quantity == "error" else 1 - value))
        for epoch, value in points
    )


@cache
def _records(path: Path) -> list[_Record]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _in_sequence(rows: list[_Record], curve: Curve) -> Iterator[tuple[float, _Record]]:
    """(epochs finished since the first stage began, row) for each row."""
    stages: dict[float, list[tuple[float, _Record]]] = {}
    for row in rows:
        finished = float(row[curve.epoch]) - curve.first_epoch + 1
        number = float(row[curve.stage]) if curve.stage else 1
        stages.setdefault(number, []).append((finished, row))
    before = 0.0
    for _, stage in sorted(stages.items()):
        yield from ((before + finished, row) for finished, row in stage)
        before += max(finished for finished, _ in stage)

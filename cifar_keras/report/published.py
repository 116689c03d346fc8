"""Read what was published: the CSV files of reports/published."""

from functools import cache
from pathlib import Path

import pandas as pd

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Curve

_PACKAGE = Path(__file__).resolve().parent.parent


def published_folder() -> Path:
    """Return the folder of the published curves: of the checkout, or of the installed package."""
    checkout = _PACKAGE.parent / "reports" / "published"
    return checkout if checkout.is_dir() else _PACKAGE / "published"


def originals() -> pd.DataFrame:
    """Return the other figures of the originals, besides accuracy, all as text, in file order.

    `recipe` is empty if the figure belongs to `label`. `quantity` contains the unit, if there is
    one; accuracies and errors are in percent. `mark` is one of `text.MARKS`, and `marked` is the
    value with its mark.
    """
    facts = _table(published_folder() / "originals.csv")
    marks = facts["mark"].map(lambda mark: f" [{mark}]" if mark else "")
    return facts.assign(marked=facts["value"] + marks)


def published_curve(curve: Curve, folder: Path | None = None) -> "pd.Series[float]":
    """Return test errors in percent over finished epochs, in order; the files have fractions.

    Epochs are counted over all stages, as in our own histories.

    Raises:
        RecipeError: the file, a column or the rows that the recipe names do not exist.
    """
    try:
        errors = _errors(_table((folder or published_folder()) / curve.file), curve)
    except OSError as error:
        raise RecipeError(f"published curve '{curve.file}': {error.strerror}") from None
    except ValueError as error:
        raise RecipeError(f"published curve '{curve.file}': {error}") from None
    return errors


@cache
def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _errors(table: pd.DataFrame, curve: Curve) -> "pd.Series[float]":
    for name in (*curve.where, curve.epoch, curve.value, curve.stage or curve.epoch):
        if name not in table:
            raise ValueError(f"no column {name!r}; there are: {', '.join(table.columns)}")
    for name, value in curve.where.items():
        table = table[table[name] == str(value)]
    if table.empty:
        raise ValueError(f"no rows where {curve.where}")
    finished = table[curve.epoch].astype(float) - curve.first_epoch + 1
    if curve.stage:
        stages = table[curve.stage].astype(float)
        before = finished.groupby(stages).max().cumsum().shift(fill_value=0)
        finished += stages.map(before)
    values = table[curve.value].astype(float).set_axis(finished)
    return 100 * (values if curve.quantity == "error" else 1 - values).sort_index()

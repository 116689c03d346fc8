"""Compare the full runs of each recipe in two precisions: docs/precision.md."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from cifar_keras.report import text
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.verdict import half_interval, variance_of_mean

_FIGURES = {"accuracy": "last epoch", "augmented": "with TTA"}


class _Pair(NamedTuple):
    """One figure of a recipe in another precision and in float32, in percent."""

    label: str
    figure: str
    other: "pd.Series[float]"
    float32: "pd.Series[float]"

    @property
    def difference(self) -> float:
        """The other precision's mean minus that of float32, in points."""
        return float(self.other.mean() - self.float32.mean())

    @property
    def interval(self) -> str:
        """The 95 % interval of the difference, which takes two runs in each precision."""
        if min(self.float32.count(), self.other.count()) < 2:
            return DASH
        half = half_interval(variance_of_mean(self.float32), variance_of_mean(self.other))
        return f"{text.signed(self.difference - half)} to {text.signed(self.difference + half)}"


def precisions(rows: Sequence[Row]) -> str:
    """Return a table of the recipes with full runs in float32 and in another precision."""
    run = [row for row in rows if row.full and not row.committed and not row.runs.empty]
    float32 = {row.name: row for row in run if row.recipe.precision == "float32"}
    pairs = [
        _Pair(row.label, figure, row.runs[key], theirs.runs[key])
        for row in run
        if row.recipe.precision != "float32" and (theirs := float32.get(row.name))
        for key, figure in _FIGURES.items()
        if theirs.runs[key].count() and row.runs[key].count()
    ]
    return text.markdown_table(_COLUMNS, pairs, words=["figure"]) if pairs else ""


_COLUMNS: list[text.Column] = [
    ("recipe", lambda pair: pair.label),
    ("figure", lambda pair: pair.figure),
    ("accuracy, %", lambda pair: text.spread(pair.other)),
    ("in float32, %", lambda pair: text.spread(pair.float32)),
    ("difference, points", lambda pair: text.signed(pair.difference)),
    ("95 % interval", lambda pair: pair.interval),
]

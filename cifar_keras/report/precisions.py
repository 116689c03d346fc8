"""Compare the full runs of each recipe in two precisions: docs/precision.md."""

from collections import Counter
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

    key: str
    other_row: Row
    float32_row: Row

    @property
    def other(self) -> "pd.Series[float]":
        return self.other_row.runs[self.key]

    @property
    def float32(self) -> "pd.Series[float]":
        return self.float32_row.runs[self.key]

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
        _Pair(key, row, theirs)
        for row in run
        if row.recipe.precision != "float32" and (theirs := float32.get(row.name))
        for key in _FIGURES
        if theirs.runs[key].count() and row.runs[key].count()
    ]
    words = ["figure", "versions", "versions in float32"]
    return text.markdown_table(_COLUMNS, pairs, words=words) if pairs else ""


def _versions(row: Row) -> str:
    """Count the runs by the version of this package that made them, most runs first."""
    found = Counter(run.versions["cifar_keras"] for run in row.each)
    return ", ".join(f"{version} ({count})" for version, count in found.most_common())


_COLUMNS: list[text.Column] = [
    ("recipe", lambda pair: pair.other_row.label),
    ("figure", lambda pair: _FIGURES[pair.key]),
    ("accuracy, %", lambda pair: text.spread(pair.other)),
    ("in float32, %", lambda pair: text.spread(pair.float32)),
    ("difference, points", lambda pair: text.signed(pair.difference)),
    ("95 % interval", lambda pair: pair.interval),
    ("versions", lambda pair: _versions(pair.other_row)),
    ("versions in float32", lambda pair: _versions(pair.float32_row)),
]

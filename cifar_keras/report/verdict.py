"""Judge whether a published figure was reproduced, by the rule in docs/verdict.md."""

from dataclasses import dataclass
from functools import cache
from math import floor, inf, sqrt
from typing import Literal

import pandas as pd

from cifar_keras.recipe import Reference
from cifar_keras.report.results import Row

Kind = Literal["reproduced", "better", "short", "in band", "out of band", "none"]

# The quantile 0.975 of Student's distribution with 1, 2, ... 30 degrees of freedom:
# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_ENOUGH = 3
_COUNTS = {1: "one run", 2: "two runs"}


@dataclass(frozen=True)
class Verdict:
    """Whether a row's runs reproduce the published figure.

    `difference` is our mean minus the expected one, in points. `margin` is half the width of its
    interval, or the band. Both are None if nothing is compared.
    """

    kind: Kind
    text: str
    difference: float | None = None
    margin: float | None = None


@cache
def verdict(row: Row) -> Verdict:
    """Return the verdict on a row, which only full runs get, by comparing like with like."""
    reference = row.recipe.reference
    if reference is None:
        return Verdict("none", "no verdict: nothing published")
    if not row.full:
        return Verdict("none", f"no verdict: {'scaled' if row.budget != '1' else 'modified'}")
    if row.runs.empty:
        return Verdict("none", f"no verdict: {'unfinished' if row.unfinished else 'not run'}")
    ours = row.compared
    if not ours.count():
        lacking = "not evaluated with TTA" if reference.augmented else "not tested after each epoch"
        return Verdict("none", f"no verdict: {lacking}")
    # Rounded, so that a difference of exactly the margin is within it.
    difference = round(ours.mean() - reference.expected, 6)
    judge = _by_band if ours.count() < _ENOUGH else _by_interval
    found = judge(reference, ours, difference)
    if reference.epoch == "best" and found.kind != "none":
        return Verdict(found.kind, f"{found.text} (best epochs)", found.difference, found.margin)
    return found


def half_interval(*means: tuple[float, float]) -> float:
    """Return half of the 95 % interval of a sum or difference of means, by Welch's rule.

    Each mean is given by its variance and the degrees of freedom of this variance, `inf` if it is
    exactly known.
    """
    variance = sum(variance for variance, _ in means)
    weight = sum(variance**2 / freedom for variance, freedom in means)
    # With a tolerance, as rounding may leave a whole number just below itself.
    freedom = floor(variance**2 / weight + 1e-9) if weight else len(_T)
    return _T[min(freedom, len(_T)) - 1] * sqrt(variance)


def variance_of_mean(values: "pd.Series[float]") -> tuple[float, float]:
    """Return the variance of the values' mean and its degrees of freedom, for `half_interval`."""
    return values.var() / values.count(), values.count() - 1


def margin(reference: Reference, ours: "pd.Series[float]") -> float:
    """Return half of the 95 % interval of our mean minus the published one, in points."""
    if ours.count() < 2:
        return inf
    if not reference.spread:
        return half_interval(variance_of_mean(ours))
    variance = reference.spread.deviation**2 / reference.runs
    # A single run's deviation comes from other runs and is treated as exactly known.
    freedom = reference.runs - 1 if reference.runs > 1 else inf
    return half_interval(variance_of_mean(ours), (variance, freedom))


def _by_interval(reference: Reference, ours: "pd.Series[float]", difference: float) -> Verdict:
    half = margin(reference, ours)
    if abs(difference) <= half:
        return Verdict("reproduced", "reproduced", difference, half)
    if difference > 0:
        return Verdict("better", "better", difference, half)
    return Verdict("short", f"short by {-difference:.2f}", difference, half)


def _by_band(reference: Reference, ours: "pd.Series[float]", difference: float) -> Verdict:
    count = _COUNTS[ours.count()]
    if reference.band is None:
        return Verdict("none", f"no verdict: {count}, no band", difference)
    half = reference.band.points
    if abs(difference) <= half:
        return Verdict("in band", f"{count}, in its band", difference, half)
    if difference > 0:
        text = f"{count}, above its band by {difference - half:.2f}"
    else:
        text = f"{count}, short of its band by {-difference - half:.2f}"
    return Verdict("out of band", text, difference, half)

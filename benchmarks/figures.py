"""Summarize repeats as a median with its range."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

DASH = "—"


@dataclass(frozen=True)
class Figure:
    """The median, smallest and largest value of a number of repeats."""

    median: float
    low: float
    high: float
    repeats: int

    def __str__(self) -> str:
        if self.repeats == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def figure(values: Sequence[float]) -> Figure | None:
    """Return the figure of these repeats, or None if there are none."""
    if not values:
        return None
    return Figure(median(values), min(values), max(values), len(values))


def quotient(above: Sequence[float], below: Sequence[float]) -> Figure | None:
    """Return the figure of the ratios in each round, or None if either has no repeats."""
    if not above or not below:
        return None
    return figure([a / b for a, b in zip(above, below, strict=True)])


def short(value: float) -> str:
    """Format a number with three digits and no power of ten."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:#.3g}".rstrip(".")


def shown(found: Figure | None) -> str:
    """Format the figure, or return a dash for None."""
    return DASH if found is None else str(found)

"""Repeats as a median with its range."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

DASH = "—"


@dataclass(frozen=True)
class Figure:
    """A median with the smallest and the largest, of so many repeats."""

    median: float
    low: float
    high: float
    repeats: int

    def __str__(self) -> str:
        if self.repeats == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def figure(values: Sequence[float]) -> Figure | None:
    """The figure of these repeats, None where there are none."""
    if not values:
        return None
    return Figure(median(values), min(values), max(values), len(values))


def quotient(above: Sequence[float], below: Sequence[float]) -> Figure | None:
    """The figure of what each repeat comes to: both were measured in the same round."""
    if not above or not below:
        return None
    return figure([a / b for a, b in zip(above, below, strict=True)])


def short(value: float) -> str:
    """Three digits, and no power of ten."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:#.3g}".rstrip(".")


def shown(found: Figure | None) -> str:
    """The figure, or a dash."""
    return DASH if found is None else str(found)

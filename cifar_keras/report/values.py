"""A figure of several runs: how many, mean, deviation, smallest and largest."""

from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Values:
    """One figure of each run, in percent or points; None where too few have it."""

    each: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many runs have the figure."""
        return len(self.each)

    @property
    def mean(self) -> float | None:
        """Their mean."""
        return fmean(self.each) if self.each else None

    @property
    def deviation(self) -> float | None:
        """Their sample deviation, None for fewer than two."""
        return stdev(self.each) if len(self.each) > 1 else None

    @property
    def smallest(self) -> float | None:
        """The smallest."""
        return min(self.each, default=None)

    @property
    def largest(self) -> float | None:
        """The largest."""
        return max(self.each, default=None)

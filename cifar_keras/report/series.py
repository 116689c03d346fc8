"""Compute the numbers of a row's curves."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain

import pandas as pd

from cifar_keras.errors import RecipeError
from cifar_keras.report.published import published_curve
from cifar_keras.report.results import Row

_log = logging.getLogger("cifar_keras")


@dataclass(frozen=True, eq=False)
class Series:
    """Errors in percent over x: finished epochs or, for `share`, their fraction of all.

    `test`, `train` and `validation` have one column per finished run; `validation` is empty without
    held-out images. `published` is one curve; `unfinished` are the test errors of unfinished runs.
    `steps` are the x at which the learning rate drops, empty if it changes continuously.
    """

    share: bool
    test: pd.DataFrame
    train: pd.DataFrame
    published: "pd.Series[float]"
    steps: list[float]
    unfinished: "list[pd.Series[float]]" = field(default_factory=list)
    validation: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def last(self) -> float:
        """The end of the longest curve."""
        begun = (line.index for line in self.unfinished)
        return max(chain(self.test.index, self.published.index, *begun), default=0)

    @property
    def zoom(self) -> float:
        """The start of the zoomed panel: a learning-rate drop in the second half, or halfway."""
        # With a tolerance, as a rounded fraction may be just below a half.
        return next((x for x in self.steps if x > 0.499 * self.last), self.last / 2)

    @property
    def settled(self) -> float:
        """The end of the steep fall that follows the zoomed panel's learning-rate drop."""
        return self.zoom + 0.03 * (self.last - self.zoom)

    @property
    def zoomed_errors(self) -> Iterator[float]:
        """Yield the test errors, ours and published, that the zoomed panel must show."""
        # The steep fall would fill half of the panel's height, so it is left out.
        for line in (*lines_of(self.test), *self.unfinished, self.published):
            yield from line[line.index > self.settled]

    @property
    def gap(self) -> float:
        """The mean distance between our mean test curve and the published one, in points.

        It is computed after `settled`, at the epochs that both have; NaN if there are none.
        """
        gaps = (mean_of(self.test) - self.published).abs()
        return float(gaps[gaps.index > self.settled].mean())


def lines_of(errors: pd.DataFrame) -> "list[pd.Series[float]]":
    """Return the curve of each run."""
    return [errors[run].dropna() for run in errors]


def mean_of(errors: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean over runs, at the x that all of them have."""
    return errors.dropna().mean(axis=1)


@cache
def series(row: Row) -> Series:
    """Return the curves of a row; without runs, only the published one.

    Curves are over epochs if our schedule is as long as the published one; otherwise each is over
    the fraction of its own schedule.
    """
    histories = [history.set_index("epoch") for history in row.runs["history"]]
    published = _published(row)
    steps = [rate_steps(history["learning_rate"]) for history in histories[:1]]
    begun = [each.errors for each in row.unfinished if not each.errors.empty]
    if row.length_differs:
        scale = 1 / histories[0].index[-1] if histories else 1.0
        histories = [history.set_axis(scale * history.index) for history in histories]
        steps = [[scale * step for step in each] for each in steps]
        begun = [errors.set_axis(errors.index / row.epochs) for errors in begun]
        published = published.set_axis((1 / row.full_epochs) * published.index)
    held = [history["validation_accuracy"].astype(float) for history in histories]
    return Series(
        share=row.length_differs,
        test=_errors([history["test_accuracy"] for history in histories]),
        train=_errors([history["accuracy"] for history in histories]),
        validation=_errors([line for line in held if line.notna().any()]),
        published=published,
        steps=list(chain(*steps)),
        unfinished=begun,
    )


def rate_steps(rates: "pd.Series[float]") -> list[float]:
    """Return the epochs before each change of the learning rate, if it is mostly constant."""
    jumps = rates.index[:-1][(rates.diff().abs() > 1e-6 * rates.shift()).to_numpy()[1:]]
    return list(jumps) if 2 * len(jumps) < len(rates) else []


def _errors(accuracies: "list[pd.Series[float]]") -> pd.DataFrame:
    if not accuracies:
        return pd.DataFrame(dtype=float)
    columns = pd.concat(accuracies, axis=1, keys=range(len(accuracies)))
    return 100 * (1 - columns.sort_index())


def _published(row: Row) -> "pd.Series[float]":
    nothing = pd.Series(dtype=float, index=pd.Index([], dtype=float))
    if row.curve is None:
        return nothing
    try:
        return published_curve(row.curve)
    except RecipeError as error:
        # The recipe is that of an earlier run and cannot be corrected, so draw the other curves.
        _log.warning("the curves of '%s' are drawn without the published one: %s", row.slug, error)
        return nothing

"""The numbers of a row's curves, before anything is drawn."""

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
    """Errors in percent over x: epochs finished or, for `share`, that over their total.

    `test` and `train` have a column a finished run, `published` is one line; `unfinished` are the
    test errors of the runs that are not. `steps` are the x at which the learning rate jumps, none
    where it changes all the time.
    """

    share: bool
    test: pd.DataFrame
    train: pd.DataFrame
    published: "pd.Series[float]"
    steps: list[float]
    unfinished: "list[pd.Series[float]]" = field(default_factory=list)

    @property
    def last(self) -> float:
        """Where the longest line ends."""
        begun = (line.index for line in self.unfinished)
        return max(chain(self.test.index, self.published.index, *begun), default=0)

    @property
    def zoom(self) -> float:
        """Where the zoomed panel begins: at a drop of the rate in the second half, or half-way."""
        # A hair less, as a share may come out a hair below a half.
        return next((x for x in self.steps if x > 0.499 * self.last), self.last / 2)

    @property
    def settled(self) -> float:
        """Where the fall right after the zoomed panel's drop is over."""
        return self.zoom + 0.03 * (self.last - self.zoom)

    @property
    def zoomed_errors(self) -> Iterator[float]:
        """The test errors, ours and published, that the zoomed panel must hold."""
        # The fall would take half of the panel's height.
        for line in (*lines_of(self.test), *self.unfinished, self.published):
            yield from line[line.index > self.settled]

    @property
    def gap(self) -> float:
        """Mean distance, in points, of our mean test curve from the published one, once settled.

        It is taken at the points that both have; NaN where there are none.
        """
        gaps = (mean_of(self.test) - self.published).abs()
        return float(gaps[gaps.index > self.settled].mean())


def lines_of(errors: pd.DataFrame) -> "list[pd.Series[float]]":
    """Return the line of each run."""
    return [errors[run].dropna() for run in errors]


def mean_of(errors: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean over runs, where all of them have a point."""
    return errors.dropna().mean(axis=1)


@cache
def series(row: Row) -> Series:
    """Return the curves of a row; without runs only the published one.

    Ours and the published one share an axis of epochs only where both schedules have the same
    length; otherwise each is drawn against the share of its own.
    """
    histories = [history.set_index("epoch") for history in row.runs["history"]]
    published = _published(row)
    steps = [rate_steps(history["learning_rate"]) for history in histories[:1]]
    begun = [each.history.set_index("epoch") for each in row.unfinished if each.done]
    if row.length_differs:
        scale = 1 / histories[0].index[-1] if histories else 1.0
        histories = [history.set_axis(scale * history.index) for history in histories]
        steps = [[scale * step for step in each] for each in steps]
        begun = [history.set_axis(history.index / row.epochs) for history in begun]
        published = published.set_axis((1 / row.full_epochs) * published.index)
    return Series(
        share=row.length_differs,
        test=_errors([history["test_accuracy"] for history in histories]),
        train=_errors([history["accuracy"] for history in histories]),
        published=published,
        steps=list(chain(*steps)),
        unfinished=[100 * (1 - history["test_accuracy"]) for history in begun],
    )


def rate_steps(rates: "pd.Series[float]") -> list[float]:
    """Return the epochs finished before each jump of the rate, if it is mostly constant."""
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
        # The recipe is that of a run made before; nothing there can be mended, the rest is sound.
        _log.warning("the curves of '%s' are drawn without the published one: %s", row.slug, error)
        return nothing

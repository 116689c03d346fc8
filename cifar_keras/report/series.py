"""The numbers of a row's curves, before anything is drawn."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from cifar_keras.errors import RecipeError
from cifar_keras.report.published import published_curve
from cifar_keras.report.results import Row
from cifar_keras.runs import Epoch

Line = list[tuple[float, float]]

_log = logging.getLogger("cifar_keras")


@dataclass(frozen=True)
class Series:
    """Lines of (x, error in percent); x is epochs finished, or, for `share`, that over their total.

    `steps` are the x at which the learning rate jumps, none where it changes all the time.
    """

    share: bool
    test: list[Line]
    test_mean: Line
    train: list[Line]
    train_mean: Line
    published: Line
    steps: list[float]

    @property
    def last(self) -> float:
        """Where the longest line ends."""
        return max((line[-1][0] for line in [*self.test, self.published] if line), default=0)

    @property
    def zoom(self) -> float:
        """Where the zoomed panel begins: at a step of the rate not before half-way, or half-way."""
        # A hair less, as a share may come out a hair below a half.
        return next((x for x in self.steps if x > 0.499 * self.last), self.last / 2)

    @property
    def settled(self) -> float:
        """Where the fall right behind the zoomed panel's step is over."""
        return self.zoom + 0.03 * (self.last - self.zoom)

    @property
    def zoomed_errors(self) -> list[float]:
        """The test errors, ours and published, that the zoomed panel must hold."""
        # The fall would take half of the panel's height.
        lines = [*self.test, self.published]
        return [error for line in lines for x, error in line if x > self.settled]

    @property
    def gap(self) -> float | None:
        """Mean distance, in points, of our mean test curve from the published one, once settled.

        It is taken at the points that both have; None where there are none.
        """
        ours = dict(self.test_mean)
        gaps = [abs(ours[x] - y) for x, y in self.published if x > self.settled and x in ours]
        return fmean(gaps) if gaps else None


def series(row: Row) -> Series:
    """The curves of a row; without runs the published one alone.

    Ours and the published one share an axis of epochs only where both schedules have the same
    length; otherwise each is drawn against the share of its own.
    """
    histories = [sample.history for sample in row.samples]
    share = row.length_differs
    ours = 1 / histories[0][-1].epoch if share else 1.0
    theirs = 1 / row.full_epochs if share else 1.0
    test = [_errors(history, lambda e: e.test_accuracy, ours) for history in histories]
    train = [_errors(history, lambda e: e.accuracy, ours) for history in histories]
    return Series(
        share=share,
        test=test,
        test_mean=_mean(test),
        train=train,
        train_mean=_mean(train),
        published=[(theirs * epoch, error) for epoch, error in _published(row)],
        steps=[ours * epoch for epoch in rate_steps(histories[0])] if histories else [],
    )


def rate_steps(history: Sequence[Epoch]) -> list[float]:
    """The epochs finished before each jump of the rate, if it is mostly constant."""
    pairs = list(pairwise(history))
    jumps = [
        before.epoch
        for before, after in pairs
        if abs(after.learning_rate - before.learning_rate) > 1e-6 * before.learning_rate
    ]
    return jumps if 2 * len(jumps) <= len(pairs) else []


def _errors(history: Sequence[Epoch], accuracy: Callable[[Epoch], float], scale: float) -> Line:
    return [(scale * epoch.epoch, 100 * (1 - accuracy(epoch))) for epoch in history]


def _mean(lines: Sequence[Line]) -> Line:
    """The mean over lines, where all of them have a point."""
    tables = [dict(line) for line in lines]
    shared = [x for x, _ in lines[0] if all(x in table for table in tables)] if lines else []
    return [(x, fmean(table[x] for table in tables)) for x in shared]


def _published(row: Row) -> Line:
    if row.curve is None:
        return []
    try:
        return published_curve(row.curve)
    except RecipeError as error:
        # The recipe is that of a run made before; nothing there can be mended, the rest is sound.
        _log.warning("the curves of '%s' are drawn alone: %s", row.slug, error)
        return []

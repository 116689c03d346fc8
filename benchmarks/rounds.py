"""Alternate repeats among all contenders, so that disturbances affect all of them alike."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.workers import Failed, Worker

# Duration of a repeat in seconds, for training and for everything else.
LONG, SHORT = 4.0, 1.5
# Evaluation must not run past the test images.
MOST_EVALUATED = 20
MOST = 10**5


@dataclass
class Taken:
    """A contender's steps and seconds of each repeat by case, or the reason why it failed."""

    cases: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    first_step: float | None = None
    peak_mib: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    failed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is written to the results."""
        if self.failed is not None:
            return {"failed": self.failed}
        return {
            **self.facts,
            "first_step": self.first_step,
            "peak_mib": self.peak_mib,
            "cases": self.cases,
        }


def calibrated(go: Callable[[int], tuple[float, int]], case: str) -> int:
    """Find the number of steps in a repeat by trying more and more; the first ones do not count."""
    target = LONG if case.startswith("train") else SHORT
    most = MOST_EVALUATED if case == "evaluate" else MOST
    go(1)
    count = 1
    while True:
        seconds, made = go(count)
        if seconds >= target / 2 or count == most:
            return min(most, max(1, round(target * made / seconds)))
        count = min(4 * count, most)


def alternate(
    starts: Mapping[str, Callable[[Path], Worker]],
    cases: Mapping[str, Sequence[str]],
    repeats: int,
    scratch: Path,
) -> dict[str, Taken]:
    """Start and warm up all contenders, then let them take turns, every second round in reverse.

    Args:
        starts: Functions that start each contender, given the path of its log.
        cases: Cases of each contender.
        repeats: Number of measured rounds.
        scratch: Directory for the logs.
    """
    taken = {name: Taken() for name in starts}
    workers: dict[str, Worker] = {}
    counts: dict[tuple[str, str], int] = {}
    with _all_closed(workers):
        for name, start in starts.items():
            with _drops_failed(name, taken, workers):
                _say(f"{name}: starting")
                worker = workers[name] = start(scratch / f"{name}.log")
                taken[name].first_step, taken[name].facts = worker.first_step, worker.facts
                for case in cases[name]:
                    counts[name, case] = calibrated(partial(worker.go, case), case)
        for repeat in range(repeats):
            names = list(workers)
            for name in names if repeat % 2 == 0 else names[::-1]:
                with _drops_failed(name, taken, workers):
                    for case in cases[name]:
                        seconds, steps = workers[name].go(case, counts[name, case])
                        taken[name].cases.setdefault(case, []).append((steps, seconds))
                        _say(f"{repeat + 1}/{repeats} {name} {case}: {steps} in {seconds:.2f} s")
        for name, worker in list(workers.items()):
            with _drops_failed(name, taken, workers):
                taken[name].peak_mib = worker.peak()
    return taken


@contextmanager
def _drops_failed(name: str, taken: dict[str, Taken], workers: dict[str, Worker]) -> Iterator[None]:
    """Drop a contender that fails; the others continue."""
    try:
        yield
    except Failed as error:
        taken[name].failed = str(error)
        _say(f"{name}: {error}")
        if name in workers:
            workers.pop(name).close()


@contextmanager
def _all_closed(workers: dict[str, Worker]) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in workers.values():
            worker.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

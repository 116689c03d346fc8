"""The measurements. Each function returns its part of the results."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.families import CONTENDERS, FAMILIES, GEMMS, Contender, Family
from benchmarks.machine import disturbance, run_facts
from benchmarks.peers import arrays
from benchmarks.peers.gemm import SIDES
from benchmarks.results import Results
from benchmarks.rounds import Taken, alternate
from benchmarks.start_up import start_up as start_up_seconds
from benchmarks.workers import Failed, Worker, command, environment
from cifar_keras.data import load
from cifar_keras.recipe import load_recipe, recipe_path

# Cost by depth at the recipes' batch size of 128, and by batch size at the first depth.
DEPTHS = {20: "resnet20", 32: "resnet32", 56: "resnet56", 110: "resnet110"}
BATCHES = (32, 64, 128, 256, 512, 1024)
# The family whose first step is timed in every repeat.
STARTED = "resnet20"


@dataclass(frozen=True)
class Bench:
    """The request: repeats, patterns of contenders, data directory and directory for logs.

    Without patterns, all contenders except the extra ones are measured.
    """

    repeats: int
    contenders: Sequence[str] | None
    data_dir: Path | None
    scratch: Path

    def chosen(self, family: Family) -> list[Contender]:
        """Return the contenders of a family that match a pattern."""
        return [
            each
            for each in CONTENDERS.values()
            if each.only in ("", family.name) and self._asked(each)
        ]

    def _asked(self, contender: Contender) -> bool:
        if self.contenders is None:
            return not contender.extra
        return any(fnmatchcase(contender.name, pattern) for pattern in self.contenders)

    def start(self, contender: Contender, family: Family, log: Path) -> Worker:
        """Start the contender's process for this family.

        Raises:
            Failed: If it does not reach its first step.
        """
        if contender.module == "ours":
            return self.start_ours(family.name, (), log, contender)
        where = str(self.arrays_of(family.dataset))
        return Worker(command(contender, family.name, where), environment(contender), log)

    def start_ours(
        self,
        recipe: str,
        overrides: Sequence[str],
        log: Path,
        contender: Contender = CONTENDERS["ours"],
    ) -> Worker:
        """Start our process for this recipe."""
        more = [part for override in overrides for part in ("--set", override)]
        if self.data_dir:
            more += ["--data-dir", str(self.data_dir.resolve())]
        return Worker(command(contender, recipe, *more), environment(contender), log)

    def arrays_of(self, dataset: str) -> Path:
        """Return the folder of a data set's arrays, and write it on first use."""
        folder = self.scratch / dataset
        if not folder.exists():
            both = load(dataset, self.data_dir)
            train, test = both.train, both.test
            arrays.write(
                folder, arrays.Arrays(train.images, train.labels, test.images, test.labels)
            )
        return folder


def training(bench: Bench, family: Family) -> Results:
    """Measure all contenders of a family in turns, with matrix products in their precisions."""
    run, chosen = _run(bench), bench.chosen(family)
    bench.arrays_of(family.dataset)
    starts: dict[str, Callable[[Path], Worker]] = {
        each.name: partial(bench.start, each, family) for each in chosen
    }
    precisions = {each.precision for each in chosen}
    gemms = {name: each for name, each in GEMMS.items() if each.precision in precisions}
    starts |= {name: partial(_start_gemm, each) for name, each in gemms.items()}
    cases = {each.name: [*family.cases] for each in chosen}
    for each in chosen:
        if each.module == "ours":
            cases[each.name].append("checkpoint")
    cases |= {name: [*SIDES] for name in gemms}
    taken = alternate(starts, cases, bench.repeats, bench.scratch)
    part = {"run": run, "batch_size": family.batch_size}
    return {
        "training": {
            family.name: part
            | {
                "contenders": _json({n: t for n, t in taken.items() if n not in GEMMS}),
                "gemm": _json({n: t for n, t in taken.items() if n in GEMMS}),
            }
        }
    }


def growth(bench: Bench) -> Results:
    """Measure ours in turns, at four depths and then with six batch sizes."""
    by_depth = {str(depth): (recipe, ()) for depth, recipe in DEPTHS.items()}
    by_batch = {str(size): (DEPTHS[20], (f"data.batch_size={size}",)) for size in BATCHES}
    found = {}
    for name, asked in (("depth", by_depth), ("batch", by_batch)):
        run = _run(bench)
        starts: dict[str, Callable[[Path], Worker]] = {
            key: partial(bench.start_ours, recipe, overrides)
            for key, (recipe, overrides) in asked.items()
        }
        cases = {key: ["train"] for key in asked}
        taken = _json(alternate(starts, cases, bench.repeats, bench.scratch))
        for key, (recipe, overrides) in asked.items():
            size = load_recipe(recipe_path(recipe), overrides).data.batch_size
            taken[key] |= {"batch_size": size}
        found[name] = {"run": run, "contenders": taken}
    return {"growth": found}


def first_step(bench: Bench) -> Results:
    """Measure the seconds from process start to the end of the first step, in turns."""
    run, family = _run(bench), FAMILIES[STARTED]
    bench.arrays_of(family.dataset)
    seconds: dict[str, list[float]] = {each.name: [] for each in bench.chosen(family)}
    for _ in range(bench.repeats):
        for contender in bench.chosen(family):
            try:
                worker = bench.start(contender, family, bench.scratch / "first-step.log")
            except Failed:
                continue
            seconds[contender.name].append(worker.first_step)
            worker.close()
    return {"first_step": {STARTED: {"run": run, "seconds": seconds}}}


def start_up(bench: Bench) -> Results:
    """Measure the seconds of the commands that need no TensorFlow."""
    run = _run(bench)
    seconds = start_up_seconds(bench.repeats, bench.scratch / "start-up")
    return {"start_up": {"commands": {"run": run, "seconds": seconds}}}


def _run(bench: Bench) -> dict[str, Any]:
    run = run_facts(bench.repeats)
    if warning := disturbance(run):
        print(warning, file=sys.stderr)
    return run


def _start_gemm(contender: Contender, log: Path) -> Worker:
    return Worker(command(contender), environment(contender), log)


def _json(taken: dict[str, Taken]) -> dict[str, Any]:
    return {name: each.to_json() for name, each in taken.items()}

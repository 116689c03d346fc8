"""`train` with several recipes or seeds: runs in sequence, one process each."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from cifar_keras.cli.arguments import resuming, with_command, without
from cifar_keras.cli.say import say
from cifar_keras.distribute.cluster import VARIABLE
from cifar_keras.errors import RunError
from cifar_keras.run.request import check_weights
from cifar_keras.run.signals import listed, run_child

if TYPE_CHECKING:
    from cifar_keras.run.queue import Queued

_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def queued(options: argparse.Namespace) -> list[Queued]:
    """Return the runs that `train` is to train, in order.

    Raises:
        RecipeError: recipes are unknown or have mistakes.
    """
    from cifar_keras.run.queue import queue

    seeds = options.seeds or [1 if options.seed is None else options.seed]
    return queue(options.recipe, seeds, options.run_dir, options.budget, options.set)


def train_each(options: argparse.Namespace) -> int:
    """Train every unfinished run, even if others fail, and print the folders of finished runs.

    Raises:
        CifarKerasError: one of the runs cannot be started, so none was; or some runs failed.
        Interrupted: a signal was received; the current run has saved its state.
    """
    from cifar_keras.run.queue import queue_table

    runs = queued(options)
    # With several workers the run folder may be on another machine.
    alone = options.workers is None and VARIABLE not in os.environ
    _check(options, runs, alone)
    keep = alone and not options.fresh
    due = [run for run in runs if not (keep and run.finished)]
    failed: dict[Queued, int] = {}
    for run in runs:
        if run not in due:
            print(run.folder, flush=True)
    with listed() as received:
        for run in due:
            _show(queue_table(runs, run, failed))
            code = run_child(_command(options, run), received)
            if received or code in _STOPPED:
                number = code - 128 if code > 128 else received[0]
                raise with_command(f"stopped at {run.label}", number, options.argv)
            if code:
                failed[run] = code
    _show(queue_table(runs, None, failed))
    if failed:
        named = ", ".join(f"{run.label} ({_ending(code)})" for run, code in failed.items())
        raise RunError(
            f"{len(failed)} of {len(runs)} runs failed: {named}; see their messages above; retry "
            f"with: {resuming(options.argv)}"
        )
    return 0


def _check(options: argparse.Namespace, runs: list[Queued], alone: bool) -> None:
    """Raise every error that would stop a run before its first step."""
    from cifar_keras.data import load
    from cifar_keras.records import check_same

    for run in runs:
        check_weights(options.weights, run.path.stem, run.recipe)
    for name in dict.fromkeys(run.recipe.dataset for run in runs):
        data = load(name, options.data_dir, mirrors=options.mirror).provenance
        if alone and not options.fresh:
            for run in (run for run in runs if run.recipe.dataset == name):
                check_same(run.folder, run.recipe, run.seed, run.budget, data)


def _command(options: argparse.Namespace, run: Queued) -> list[str]:
    # One process per run, so that no state carries over and peak memory is measured per run.
    arguments = without(options.argv, "--recipe", "--seed", "--seeds")
    one = ["--recipe", run.given, "--seed", str(run.seed)]
    return [sys.executable, "-m", "cifar_keras", *arguments, *one]


def _show(table: str) -> None:
    for line in table.splitlines():
        say(line)


def _ending(code: int) -> str:
    return signal.Signals(code - 128).name if code > 128 else f"exit code {code}"

"""`train`: one run in this process, or one process for each of several seeds."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cifar_keras.cli.say import say
from cifar_keras.distribute.cluster import VARIABLE, Cluster, from_environment, named
from cifar_keras.distribute.launch import end_with_launcher
from cifar_keras.errors import DeviceError, Interrupted, RecipeError
from cifar_keras.extras import require
from cifar_keras.quiet import import_tensorflow
from cifar_keras.run.signals import (
    ending_at_once,
    listed,
    number_of,
    run_child,
    terminated_as_interrupted,
)

if TYPE_CHECKING:
    from cifar_keras.records import Result

_SLOW_BFLOAT16 = (
    "this processor has no bfloat16 instructions (avx512_bf16, amx_bf16): mixed_bfloat16 will be "
    "several times slower than float32"
)
# Where the files are or come from decides nothing, and is nobody else's business.
_PLACES = ("--run-dir", "--data-dir", "--mirror", "--weights")


def train(options: argparse.Namespace) -> int:
    """Train the recipe with its seed, or with each of its seeds, and print the run folders."""
    _take_precision(options)
    if options.seeds:
        return _train_each(options)
    try:
        with terminated_as_interrupted():
            _train_one(options)
    except Interrupted as stop:
        raise with_command(str(stop), stop.signal, options.argv) from None
    except KeyboardInterrupt as stop:
        raise with_command("interrupted", number_of(stop), options.argv) from None
    return 0


def _take_precision(options: argparse.Namespace) -> None:
    """Make --precision the --set that it stands for."""
    if options.precision is None:
        return
    override = f"precision={options.precision}"
    for other in options.set:
        if other.partition("=")[0] == "precision" and other != override:
            options.parser.error(f"--precision {options.precision} contradicts --set {other}")
    if override not in options.set:
        options.set = [*options.set, override]


def _train_one(options: argparse.Namespace) -> None:
    from cifar_keras import records
    from cifar_keras.data import load
    from cifar_keras.recipe import altering, load_recipe, recipe_path

    end_with_launcher()
    trackers = tuple(each for each in ("tensorboard", "mlflow") if getattr(options, each))
    for tracker in trackers:
        require(tracker, tracker, f"--{tracker}")
    cluster = _cluster(options)
    path = recipe_path(options.recipe)
    recipe = load_recipe(path, options.set)
    seed = 1 if options.seed is None else options.seed
    if options.weights and recipe.initial_weights == "none":
        raise RecipeError(f"--weights: recipe '{path.stem}' begins with random weights")
    overrides = altering(options.set)
    name = records.run_name(path.stem, seed, options.budget, overrides, recipe.precision)
    folder = options.run_dir / name
    dataset = load(recipe.dataset, options.data_dir, mirrors=options.mirror)

    import_tensorflow()
    from cifar_keras.distribute.devices import make_strategy, multiplies_bfloat16
    from cifar_keras.models import allow_outside
    from cifar_keras.run.folder import Job, put_aside
    from cifar_keras.run.train import Every, train

    job = Job(
        name=path.stem,
        recipe=recipe,
        seed=seed,
        budget=options.budget,
        overrides=tuple(overrides),
        folder=folder,
        command=("cifar-keras", *_without(options.argv, *_PLACES)),
        weights=options.weights,
        trackers=trackers,
        jit=options.jit,
    )
    # Who names the recipe names the network.
    allow_outside(path.parent)
    if cluster:
        say(f"worker {cluster.index} of {len(cluster.workers)}; begins once all are there")
    # A worker waits here for the others, with nothing to save yet.
    with ending_at_once() if cluster else nullcontext():
        strategy = make_strategy(options.devices, cluster, deterministic=options.jit != "on")
    if recipe.precision == "mixed_bfloat16" and not multiplies_bfloat16(strategy):
        say(_SLOW_BFLOAT16)
    chief = cluster is None or cluster.index == 0
    if chief and options.fresh and (aside := put_aside(folder)):
        say(f"the earlier run is now '{aside}'")
    done = chief and (folder / records.RESULT).exists()
    result = train(job, dataset, strategy, Every(**options.checkpoint_every))
    say(_outcome(result, done))
    if chief:
        print(folder)


def _outcome(result: Result, before: bool) -> str:
    return (
        f"{'finished before' if before else 'finished'}: {100 * result.test_accuracy:.2f} % of "
        f"{result.test_images:,} test images after the last epoch ({result.epochs:.4g})"
        + ("; --fresh starts over" if before else "")
    )


def _cluster(options: argparse.Namespace) -> Cluster | None:
    if (options.workers is None) != (options.worker_index is None):
        raise DeviceError("--workers and --worker-index: give both, or neither")
    if options.workers is None:
        return from_environment(os.environ)
    if VARIABLE in os.environ:
        raise DeviceError(f"{VARIABLE} is set, and --workers is given; unset one of them")
    return named(options.workers, options.worker_index)


def with_command(message: str, number: int, arguments: Sequence[str]) -> Interrupted:
    """The interruption by this signal, with what to go on with."""
    return Interrupted(f"{message}; go on with: {to_go_on(arguments)}", number)


def to_go_on(arguments: Sequence[str]) -> str:
    """The command again, but for --fresh, which would start over once more."""
    return shlex.join(["cifar-keras", *(each for each in arguments if each != "--fresh")])


def _train_each(options: argparse.Namespace) -> int:
    # A process for each seed: nothing carries over, and its peak memory is its own.
    with listed() as received:
        for seed in options.seeds:
            arguments = [*_without(options.argv, "--seeds"), "--seed", str(seed)]
            code = run_child([sys.executable, "-m", "cifar_keras", *arguments], received)
            if received or code > 128:
                number = code - 128 if code > 128 else received[0]
                raise with_command(f"stopped at seed {seed}", number, options.argv)
            if code:
                return code
    return 0


def _without(arguments: Sequence[str], *options: str) -> list[str]:
    """The arguments without these options and their values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in options:
            next(rest)
        elif argument.partition("=")[0] not in options:
            kept.append(argument)
    return kept

"""`train`: one run in this process, or several in a process each."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from cifar_keras.cli.arguments import with_command, without
from cifar_keras.cli.queue import train_each
from cifar_keras.cli.say import say
from cifar_keras.distribute.cluster import VARIABLE, Cluster, from_environment, named
from cifar_keras.distribute.launch import end_with_launcher
from cifar_keras.errors import DeviceError, Interrupted
from cifar_keras.extras import require
from cifar_keras.run.request import Request, execute
from cifar_keras.run.signals import number_of, terminated_as_interrupted
from cifar_keras.terminal import loading

if TYPE_CHECKING:
    from cifar_keras.records import Result

# Paths and addresses do not affect the result, and may be private.
_PLACES = ("--run-dir", "--data-dir", "--mirror", "--weights")


def train(options: argparse.Namespace) -> int:
    """Train each recipe with each seed, and print the run folders."""
    take_precision(options)
    for tracker in _trackers(options):
        require(tracker, tracker, f"--{tracker}")
    if options.seeds or len(options.recipe) > 1:
        return train_each(options)
    try:
        with terminated_as_interrupted():
            _train_one(options)
    except Interrupted as stop:
        raise with_command(str(stop), stop.signal, options.argv) from None
    except KeyboardInterrupt as stop:
        raise with_command("interrupted", number_of(stop), options.argv) from None
    return 0


def take_precision(options: argparse.Namespace) -> None:
    """Turn --precision into the --set that it stands for."""
    if options.precision is None:
        return
    override = f"precision={options.precision}"
    for other in options.set:
        if other.partition("=")[0] == "precision" and other != override:
            options.parser.error(f"--precision {options.precision} contradicts --set {other}")
    if override not in options.set:
        options.set = [*options.set, override]


def _trackers(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(each for each in ("tensorboard", "mlflow") if getattr(options, each))


def _train_one(options: argparse.Namespace) -> None:
    from cifar_keras.recipe import altering, load_recipe, recipe_path

    end_with_launcher()
    cluster = _cluster(options)
    path = recipe_path(options.recipe[0])
    request = Request(
        name=path.stem,
        recipe=load_recipe(path, options.set),
        seed=1 if options.seed is None else options.seed,
        budget=options.budget,
        overrides=tuple(altering(options.set)),
        command=("cifar-keras", *without(options.argv, *_PLACES)),
        run_dir=options.run_dir,
        # Naming a recipe's file also trusts the networks next to it.
        networks=path.parent,
        data_dir=options.data_dir,
        mirrors=tuple(options.mirror),
        weights=options.weights,
        trackers=_trackers(options),
        jit=options.jit,
        test_every=1 if options.test_every is None else options.test_every,
        devices=options.devices,
        cluster=cluster,
        every=options.checkpoint_every,
        fresh=options.fresh,
    )
    loading(f"{request.recipe.dataset} and TensorFlow")
    result, done = execute(request, say)
    say(_outcome(result, done))
    if request.chief:
        print(request.folder)


def _outcome(result: Result, before: bool) -> str:
    return (
        f"{'finished before' if before else 'finished'}: {100 * result.test_accuracy:.2f} % of "
        f"{result.test_images:,} test images after the last epoch ({result.epochs:.4g})"
        + _by_validation(result)
        + ("; --fresh starts over" if before else "")
    )


def _by_validation(result: Result) -> str:
    if not (found := result.validation):
        return ""
    best = found.best
    test = "" if best.test_accuracy is None else f", test {100 * best.test_accuracy:.2f} %"
    return (
        f"; validation {100 * found.accuracy:.2f} % of {found.images:,}, best at epoch "
        f"{best.epoch:.4g} ({100 * best.accuracy:.2f} %{test})"
    )


def _cluster(options: argparse.Namespace) -> Cluster | None:
    if (options.workers is None) != (options.worker_index is None):
        raise DeviceError("--workers and --worker-index must both be given, or neither")
    if options.workers is None:
        return from_environment(os.environ)
    if VARIABLE in os.environ:
        raise DeviceError(f"{VARIABLE} is set and --workers is given; use only one of them")
    return named(options.workers, options.worker_index)

"""`train`: one run in this process, or a queue of runs with a process each."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cifar_keras.cli.arguments import with_command, without
from cifar_keras.cli.queue import check_weights, train_each
from cifar_keras.cli.say import say
from cifar_keras.distribute.cluster import VARIABLE, Cluster, from_environment, named
from cifar_keras.distribute.launch import end_with_launcher
from cifar_keras.errors import DeviceError, Interrupted
from cifar_keras.extras import require
from cifar_keras.quiet import import_tensorflow
from cifar_keras.run.signals import ending_at_once, number_of, terminated_as_interrupted
from cifar_keras.terminal import loading

if TYPE_CHECKING:
    from cifar_keras.records import Result

_SLOW_BFLOAT16 = (
    "this processor has no bfloat16 instructions (avx512_bf16, amx_bf16): mixed_bfloat16 will be "
    "several times slower than float32"
)
# Where the files are or come from decides nothing, and is nobody else's business.
_PLACES = ("--run-dir", "--data-dir", "--mirror", "--weights")


def train(options: argparse.Namespace) -> int:
    """Train each recipe with each seed, and print the run folders."""
    _take_precision(options)
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


def _trackers(options: argparse.Namespace) -> tuple[str, ...]:
    return tuple(each for each in ("tensorboard", "mlflow") if getattr(options, each))


def _train_one(options: argparse.Namespace) -> None:
    from cifar_keras import records
    from cifar_keras.data import load
    from cifar_keras.recipe import altering, load_recipe, recipe_path

    end_with_launcher()
    cluster = _cluster(options)
    path = recipe_path(options.recipe[0])
    recipe = load_recipe(path, options.set)
    seed = 1 if options.seed is None else options.seed
    check_weights(options.weights, path.stem, recipe)
    overrides = altering(options.set)
    name = records.run_name(path.stem, seed, options.budget, overrides, recipe.precision)
    folder = options.run_dir / name
    loading(f"{recipe.dataset} and TensorFlow")
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
        command=("cifar-keras", *without(options.argv, *_PLACES)),
        weights=options.weights,
        trackers=_trackers(options),
        jit=options.jit,
        test_every=1 if options.test_every is None else options.test_every,
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

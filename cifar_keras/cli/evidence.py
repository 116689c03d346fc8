"""Commands that use runs: `verify`, `publish`, `compare`, `export`, `predict`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cifar_keras.cli.say import say
from cifar_keras.errors import RunError
from cifar_keras.quiet import import_tensorflow
from cifar_keras.terminal import loading

if TYPE_CHECKING:
    from cifar_keras.data import Dataset
    from cifar_keras.data.recorded import Inputs
    from cifar_keras.records import HalfWeights, Run
    from cifar_keras.verify import Outcome

COMMITTED = Path("reports") / "runs"
# The summary of a run's checks.
SAID: dict[Outcome, str] = {
    "recomputed": "verified; accuracy recomputed from the weights",
    "files only": "files agree; accuracy not recomputed",
    "unfinished": "unfinished; no errors so far",
    "FAILS": "verification failed",
}


def verify(options: argparse.Namespace) -> int:
    """Print a line per check of each run folder; return 1 if one fails, else 0."""
    from cifar_keras.data import load
    from cifar_keras.listing import counted

    folders = _chosen(options)

    @cache
    def dataset(name: str) -> Dataset:
        return load(name, options.data_dir, mirrors=options.mirror)

    _import_tensorflow(options)
    outcomes = {folder: _verify_one(folder, dataset) for folder in folders}
    count = Counter(outcomes.values())
    kinds = [kind for kind in SAID if kind != "FAILS" or count[kind]]
    numbers = ", ".join(f"{count[kind]} {kind}" for kind in kinds)
    print(f"{counted(len(folders), 'run folder')}: {numbers}")
    for folder, found in outcomes.items():
        if found == "FAILS":
            say(f"'{folder}' failed verification: see its lines that begin with FAILS")
    return 1 if count["FAILS"] else 0


def _chosen(options: argparse.Namespace) -> list[Path]:
    from cifar_keras.records import find_runs

    if bool(options.runs) == options.all:
        options.parser.error("name run folders, or give --all for every run folder in --run-dir")
    if options.run_dir and not options.all:
        options.parser.error("--run-dir needs --all")
    if options.runs:
        return list(options.runs)
    roots = options.run_dir or [COMMITTED]
    if not (folders := find_runs(roots)):
        where = ", ".join(str(root) for root in roots)
        raise RunError(f"no run folders in {where}; name another folder with --run-dir")
    return folders


def _verify_one(folder: Path, dataset: Callable[[str], Dataset]) -> Outcome:
    from cifar_keras import records
    from cifar_keras.verify import Check, outcome, verify_run

    print(folder)
    checks: list[Check] = []

    def show(check: Check) -> None:
        checks.append(check)
        print(f"  {check.state:<13}  {check.name:<41}  {check.note}".rstrip(), flush=True)

    try:
        run = records.read_run(folder)
        for check in verify_run(folder, run, dataset(run.recipe.dataset)):
            show(check)
    except RunError as error:
        show(Check("folder", "FAILS", " ".join(str(error).split())))
    found = outcome(checks)
    print(f"  {SAID[found]}", flush=True)
    return found


def publish(options: argparse.Namespace) -> None:
    """Publish a finished run; print the paths of the published files."""
    from cifar_keras import records
    from cifar_keras.publish import copy_evidence, destination, put_weights

    run = records.read_run(options.run)
    place = destination(options.run, run, options.output)
    with TemporaryDirectory() as scratch:
        weights = Path(scratch) / records.HALF_WEIGHTS
        half = _half_weights(options, run, weights, place) if options.weights else None
        written = copy_evidence(options.run, place)
        if half:
            written += put_weights(weights, half, place)
    for path in written:
        print(path)


def _half_weights(options: argparse.Namespace, run: Run, weights: Path, place: Path) -> HalfWeights:
    from cifar_keras.data import load
    from cifar_keras.publish import check_sizes

    dataset = load(run.recipe.dataset, options.data_dir, mirrors=options.mirror)

    _import_tensorflow(options)
    from cifar_keras.half_weights import write_half_weights

    half = write_half_weights(options.run, run, dataset, weights)
    check_sizes(weights, place, options.output)
    return half


def compare(options: argparse.Namespace) -> None:
    """Print the differences between runs, and their results."""
    if len(options.runs) < 2:
        options.parser.error("name at least two run folders")
    from cifar_keras.compare import comparison

    print(comparison(options.runs))


def export(options: argparse.Namespace) -> None:
    """Write a run's network with its preprocessing; print the paths."""
    from cifar_keras import records

    run = records.read_run(options.run)
    inputs = _inputs(options, run)

    _import_tensorflow(options)
    from cifar_keras.export import ENDINGS
    from cifar_keras.export import export as write

    ending = ENDINGS[options.to] or "-savedmodel"
    named = records.run_name(run.name, run.seed, run.budget, run.overrides, run.precision)
    output = options.output or Path(f"{run.name}-{named.name}{ending}")
    for path in write(options.run, run, inputs, options.to, output, options.overwrite):
        print(path)


def predict(options: argparse.Namespace) -> None:
    """Print the five most likely classes of each image."""
    from cifar_keras import records
    from cifar_keras.images import read_images

    run = records.read_run(options.run)
    images, notes = read_images(options.images)
    inputs = _inputs(options, run)

    _import_tensorflow(options)
    from cifar_keras.export import predict as likeliest

    found = likeliest(options.run, run, inputs, images)
    for note in notes:
        say(note)
    for path, classes in zip(options.images, found, strict=True):
        print(path)
        for name, probability in classes:
            print(f"  {100 * probability:6.2f} %  {name}")


def _inputs(options: argparse.Namespace, run: Run) -> Inputs:
    """Return how to normalize the run's images; load the data only if it was not recorded."""
    from cifar_keras import data
    from cifar_keras.data.recorded import Inputs, recorded_inputs

    if known := recorded_inputs(options.run, run):
        return known
    dataset = data.load(run.recipe.dataset, options.data_dir, mirrors=options.mirror)
    return Inputs.of(dataset, run.recipe.data)


def _import_tensorflow(options: argparse.Namespace) -> None:
    loading("TensorFlow")
    import_tensorflow()
    from cifar_keras.models import allow_outside

    if options.trust_model:
        allow_outside(options.trust_model)

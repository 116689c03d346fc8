"""Data, networks and training from Python; documented in `docs/python.md`."""

from __future__ import annotations

import logging
import os
import signal
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from cifar_keras import data
from cifar_keras.cli import values
from cifar_keras.errors import ArgumentError, Interrupted
from cifar_keras.quiet import import_tensorflow
from cifar_keras.recipe import (
    RULE,
    Recipe,
    altering,
    is_name,
    load_recipe,
    overridden,
    recipe_path,
)
from cifar_keras.run.request import Request, execute
from cifar_keras.trained_run import TrainedRun, load_run

if TYPE_CHECKING:
    import keras

Labeled = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Value = TypeVar("Value")

logger = logging.getLogger("cifar_keras")


def load_data(
    name: str = "cifar10",
    label_mode: Literal["fine", "coarse"] = "fine",
    data_dir: str | Path | None = None,
) -> tuple[Labeled, Labeled]:
    """Return a data set in the form of `keras.datasets`: `(x_train, y_train), (x_test, y_test)`.

    Look in `data_dir`, `$CIFAR_KERAS_DATA` and the caches; otherwise download and check it.

    Args:
        name: "cifar10", "cifar100", "synthetic10" or "synthetic100".
        label_mode: "coarse" for the 20 superclasses of CIFAR-100.
        data_dir: the folder to look in first.

    Returns:
        Images uint8 (N, 32, 32, 3), RGB; labels uint8 (N, 1).

    Raises:
        DataError: the name is unknown, or the data are damaged or cannot be downloaded.
        ArgumentError: `label_mode` is unknown, or the data set has no coarse labels.
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(
            f"label_mode must be 'fine' or 'coarse'. Received: label_mode={label_mode!r}"
        )
    dataset = data.load(name, data_dir)

    def labeled(split: data.Split) -> Labeled:
        labels = split.labels if label_mode == "fine" else split.coarse_labels
        if labels is None:
            raise ArgumentError(f"{name} has no coarse labels. Received: label_mode={label_mode!r}")
        return split.images, labels.astype(np.uint8)[:, None]

    return labeled(dataset.train), labeled(dataset.test)


def build(
    recipe: str | Path | Recipe, weights: str | Path | None = None, *, set: Sequence[str] = ()
) -> keras.Model:
    """Return the network of a recipe, uncompiled, from normalized images to logits.

    Args:
        recipe: the name of a shipped recipe, a YAML file, or a `Recipe`.
        weights: a weight file of this network; None initializes it randomly.
        set: overrides of the recipe's keys, such as `["model.depth=26"]`.

    Raises:
        RecipeError: the recipe is unknown or has mistakes, or its network cannot be built.
        RunError: the weights do not fit the network.
        BackendError: Keras uses a backend other than TensorFlow.
    """
    _, found, folder = _recipe(recipe, set)

    import_tensorflow()
    from cifar_keras.evaluate import load_weights
    from cifar_keras.experiment.network import build_network
    from cifar_keras.models import allow_outside

    if folder:
        allow_outside(folder)
    model = build_network(found)
    if weights:
        load_weights(model, Path(weights))
    return model


def train(
    recipe: str | Path | Recipe,
    *,
    seed: int = 1,
    budget: float | str = 1,
    set: Sequence[str] = (),
    precision: str | None = None,
    run_dir: str | Path = "runs",
    data_dir: str | Path | None = None,
    weights: str | Path | None = None,
    devices: str = "auto",
    jit: Literal["auto", "on", "off"] = "auto",
    test_every: int = 1,
    checkpoint_every: str = "15min",
    fresh: bool = False,
    name: str | None = None,
) -> TrainedRun:
    """Train a recipe, or resume its run, as `cifar-keras train` does; return the run.

    The run folder is the same as the command's, and the weights are bit-identical, unless this
    process has changed how TensorFlow computes. A finished run is only loaded. Ctrl-C saves the
    state after the current step; the same call resumes.

    Args:
        recipe: the name of a shipped recipe, a YAML file, or a `Recipe`.
        seed: determines initial weights, batches and all noise.
        budget: multiplies all epochs.
        set: overrides of the recipe's keys, such as `["optimizer.momentum=0.8"]`.
        precision: "float32", "mixed_float16" or "mixed_bfloat16"; None for the recipe's.
        run_dir: the folder that holds the run folders.
        data_dir: where CIFAR is; None for `$CIFAR_KERAS_DATA`, the caches, then a download.
        weights: your copy of the pretrained weights that the recipe starts from.
        devices: "auto", "cpu", "gpu:0,1", or "cpu:2" to try out two devices.
        jit: whether steps are compiled with XLA; "auto" on a single GPU only.
        test_every: test every so many epochs and after the last; 0 for the last only.
        checkpoint_every: when to also save within an epoch, such as "10min" or "500steps".
        fresh: start over; the folder of an earlier run is renamed.
        name: the name of the run of a `Recipe`; other runs are named after their recipe.

    Raises:
        KeyboardInterrupt: Ctrl-C; the state is saved.
        Interrupted: SIGTERM; the state is saved.
        CifarKerasError: any other error that the command would report.
    """
    overrides = _with_precision(set, precision)
    own_name, found, networks = _recipe(recipe, overrides)
    request = Request(
        name=_run_name(own_name, name),
        recipe=found,
        seed=_value(values.seed, "seed", seed),
        budget=_value(values.budget, "budget", budget),
        overrides=tuple(altering(overrides)),
        command=(),
        run_dir=Path(run_dir),
        networks=networks,
        data_dir=Path(data_dir) if data_dir else None,
        weights=Path(weights) if weights else None,
        jit=jit,
        test_every=_value(_test_every, "test_every", test_every),
        devices=devices,
        every=_value(values.every, "checkpoint_every", checkpoint_every),
        fresh=fresh,
    )
    given = request.name if isinstance(recipe, Recipe) else str(recipe)
    request = replace(request, command=_command(request, given, overrides))
    import_tensorflow()
    _warn_without_onednn()
    try:
        execute(request, lambda line: logger.warning("%s", line))
    except Interrupted as stop:
        if stop.signal != signal.SIGINT:
            raise
        # KeyboardInterrupt is no Exception, so a loop that catches errors still ends at Ctrl-C.
        raise KeyboardInterrupt(f"{stop}; the same call resumes") from None
    return load_run(request.folder, data_dir=data_dir)


def _recipe(
    recipe: str | Path | Recipe, overrides: Sequence[str]
) -> tuple[str | None, Recipe, Path | None]:
    """Return the name (None for a `Recipe`), the recipe, and the folder of its file."""
    if isinstance(recipe, Recipe):
        return None, overridden(recipe, overrides), None
    path = recipe_path(str(recipe))
    return path.stem, load_recipe(path, overrides), path.parent


def _run_name(own: str | None, name: str | None) -> str:
    """Return the name of a run: that of the recipe's file, or `name` for a `Recipe`."""
    if own and name:
        raise ArgumentError(f"name is only for a Recipe; '{own}' has one. Received: name={name!r}")
    if not is_name(found := own or name or ""):
        raise ArgumentError(f"the run of a Recipe needs a name, {RULE}. Received: name={name!r}")
    return found


def _with_precision(overrides: Sequence[str], precision: str | None) -> list[str]:
    if isinstance(overrides, str):
        raise ArgumentError(f"set must be a list of 'KEY=VALUE'. Received: set={overrides!r}")
    stated = [each for each in overrides if each.partition("=")[0] == "precision"]
    wanted = [f"precision={precision}"] if precision else []
    if wanted and stated and stated != wanted:
        raise ArgumentError(
            f"precision contradicts set={stated}. Received: precision={precision!r}"
        )
    return [*overrides, *(each for each in wanted if each not in stated)]


def _command(request: Request, recipe: str, overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the command that trains the same run."""
    command = ["cifar-keras", "train", "--recipe", recipe, "--seed", str(request.seed)]
    if request.budget != "1":
        command += ["--budget", request.budget]
    for override in overrides:
        command += ["--set", override]
    if request.test_every != 1:
        every = request.test_every
        command += ["--test-every", str(every)] if every else ["--no-test"]
    for option, value in {"--devices": request.devices, "--jit": request.jit}.items():
        if value != "auto":
            command += [option, value]
    return tuple(command)


def _value(read: Callable[[str], Value], name: str, given: Any) -> Value:
    """Return an argument as the command reads it."""
    try:
        return read(str(given))
    except ArgumentTypeError as error:
        raise ArgumentError(f"{name}: {error}") from None


def _test_every(text: str) -> int:
    return 0 if text == "0" else values.epochs(text)


def _warn_without_onednn() -> None:
    from cifar_keras.provenance import onednn

    if not onednn() and "TF_ENABLE_ONEDNN_OPTS" not in os.environ:
        logger.warning(
            "TensorFlow was imported with oneDNN off, so training is slower than with the command "
            "and rounds differently; set TF_ENABLE_ONEDNN_OPTS=1 before importing it"
        )

"""Check a run folder's files against each other and the data, without the network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cifar_keras import records
from cifar_keras.data import Dataset
from cifar_keras.data.recorded import Inputs, recorded_inputs
from cifar_keras.errors import RecipeError
from cifar_keras.files import sha256_of
from cifar_keras.recipe import flat, load_recipe, recipe_names, recipe_path
from cifar_keras.verify.check import Check, equal

# Libraries sum the pixels of a mean image in different orders.
SUMS = 1e-6


def recipe_checks(run: records.Run) -> Iterator[Check]:
    """Check the recipe against its hash, and against the shipped recipe in the run's precision."""
    yield equal("recipe", run.recipe_sha256, run.recipe.sha256())
    name = "recipe as shipped"
    if run.name not in recipe_names():
        yield Check(name, "differs", f"no recipe '{run.name}' is shipped")
        return
    try:
        declared = f"precision={run.precision}"
        shipped = load_recipe(recipe_path(run.name), [*run.overrides, declared])
    except RecipeError as error:
        yield Check(name, "differs", str(error).splitlines()[0])
        return
    here, there = flat(run.recipe.settings()), flat(shipped.settings())
    keys = [key for key in here | there if here.get(key) != there.get(key)]
    yield Check(name, "differs" if keys else "holds", f"in {', '.join(keys)}" if keys else run.name)


def data_check(run: records.Run, data: dict[str, Any]) -> Check:
    """Check the data on this machine against the data that the run was trained on."""
    stated = run.provenance.get("data", {})
    keys = ("content_sha256", "content_official", "synthetic")
    differing = [key for key in keys if stated.get(key) != data.get(key)]
    if differing:
        texts = [f"{key} {stated.get(key)} is stated, {data.get(key)} found" for key in differing]
        return Check("data", "FAILS", "; ".join(texts))
    kind = "synthetic" if data.get("synthetic") else "official images and labels"
    if not data.get("synthetic") and not data.get("content_official"):
        kind = "NOT the official images and labels"
    return Check("data", "holds", f"{run.recipe.dataset}, {kind}")


def preprocessing_check(folder: Path, run: records.Run, dataset: Dataset) -> Iterator[Check]:
    """Check preprocessing.json against the data."""
    if not (folder / records.PREPROCESSING).exists():
        return
    stated, found = recorded_inputs(folder, run), Inputs.of(dataset, run.recipe.data)
    assert stated
    name = f"{records.PREPROCESSING} again"
    pairs = [
        (stated.normalization.mean, found.normalization.mean),
        (stated.normalization.factor, found.normalization.factor),
    ]
    if stated.class_names != found.class_names:
        yield Check(name, "FAILS", "class_names are not those of the data")
    elif not all(np.allclose(*pair, rtol=SUMS) for pair in pairs):
        yield Check(name, "FAILS", "mean or factor is not that of the training images")
    else:
        yield Check(name, "holds", "mean, factor and class names are those of the data")


def file_checks(folder: Path, run: records.Run, result: records.Result | None) -> Iterator[Check]:
    """Check the files from the end of the run, and tta.json, against the hashes in run.json."""
    kept = run.finish.files if run.finish else {}
    for name in (records.PREPROCESSING, records.HISTORY, records.RESULT):
        if (folder / name).exists():
            yield _file_check(folder / name, kept.get(name))
    if records.PREPROCESSING in kept and not (folder / records.PREPROCESSING).exists():
        yield Check(records.PREPROCESSING, "FAILS", "run.json says that it was written")
    evaluated = run.evaluation.files.get(records.TTA) if run.evaluation else None
    if (folder / records.TTA).exists():
        yield _file_check(folder / records.TTA, evaluated)
    elif evaluated:
        yield Check(records.TTA, "FAILS", "run.json says that it was written")
    if result is None:
        return
    if run.finish is None:
        # The end of a run is recorded after its result, so a kill between the two leaves this.
        note = "there is a result.json, but no event of the run's end; `train` adds it"
        yield Check("run.json finish", "FAILS", note)
    stated = result.weights_sha256
    if kept.get(records.WEIGHTS, stated) != stated:
        yield equal("result.json weights_sha256", stated, kept[records.WEIGHTS])
    yield from _weights_checks(folder, stated)


def _weights_checks(folder: Path, stated: str) -> Iterator[Check]:
    half = records.read_half(folder)
    if (folder / records.WEIGHTS).exists():
        yield equal(records.WEIGHTS, stated, sha256_of(folder / records.WEIGHTS))
    elif half:
        note = f"absent, their sha256 is {stated}; {records.HALF_WEIGHTS} is evaluated"
        yield Check(records.WEIGHTS, "not checkable", note)
    else:
        yield Check(records.WEIGHTS, "absent", f"weights absent; their sha256 is {stated}")
    if half:
        found = sha256_of(folder / records.HALF_WEIGHTS)
        yield equal(records.HALF_WEIGHTS, half.weights_sha256, found)
        yield equal(f"{records.HALF} rounded_from", half.rounded_from, stated)


def _file_check(path: Path, stated: str | None) -> Check:
    if stated is None:
        return Check(path.name, "not recorded", "its hash was not recorded")
    return equal(path.name, stated, sha256_of(path))

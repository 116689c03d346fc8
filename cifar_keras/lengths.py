"""Estimate how long a full run of a shipped recipe takes."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.hardware import hardware
from cifar_keras.recipe import Recipe, load_recipe, recipe_names, recipe_path, recipes_folder


@dataclass(frozen=True)
class Lengths:
    """The seconds of a full float32 run by recipe, and where they were measured."""

    seconds: Mapping[str, float]
    where: str


def measured_seconds(name: str) -> float | None:
    """Return the seconds of a full float32 run by reports/trials; None if it has none.

    They were measured on the machine named in reports/trials.md.
    """
    with suppress(KeyError, TypeError, ValueError):
        return float(_trial(name)["seconds_per_run"])
    return None


def lengths(recipes: Mapping[str, Recipe], roots: Sequence[Path] = ()) -> Lengths:
    """Return how long the recipes take on this machine, estimated from its runs below `roots`.

    A recipe with a finished full run takes as long as that run. The others take the time in
    reports/trials, scaled by the median ratio between the speed of runs below `roots` and the speed
    in reports/trials. Only runs on the same processor count. Without any, nothing is scaled, and
    `where` is the machine of the trials.
    """
    trials = {name: trial for name in recipes if (trial := _trial(name))}
    seconds = {name: float(trial["seconds_per_run"]) for name, trial in trials.items()}
    here = hardware([])
    full: dict[str, float] = {}
    factors: list[float] = []
    for folder in records.find_runs(roots):
        # Skip damaged runs; `cifar-keras runs` reports them.
        with suppress(RunError):
            run = records.read_run(folder)
            recipe = recipes.get(run.name)
            if recipe and _counts(run, recipe, here):
                rows = records.read_history(folder)
                if run.finish and not run.scaled:
                    full[run.name] = sum(row.seconds for row in rows)
                if rows and run.name in trials:
                    rate = median(row.images_per_second for row in rows)
                    factors.append(float(trials[run.name]["images_per_second"]) / rate)
    if not full and not factors:
        machines = [trial["hardware"] for trial in trials.values()]
        cores = machines[0]["cores"] if machines else 0
        return Lengths(seconds, f"{cores} cores" if cores else "")
    scale = median(factors) if factors else inf
    scaled = {name: scale * each for name, each in seconds.items() if scale < inf}
    return Lengths(scaled | full, "here")


def _counts(run: records.Run, recipe: Recipe, here: Mapping[str, Any]) -> bool:
    """Return whether the run shows how fast the hardware `here` trains the recipe."""
    there = run.provenance.get("hardware", {})
    same = all(there.get(key) == here[key] for key in ("cpu", "cores", "gpus"))
    return same and run.precision == "float32" and run.recipe_sha256 == recipe.sha256()


def _trial(name: str) -> dict[str, Any]:
    """Return the figures that `make trials` wrote for a recipe; empty if there are none."""
    parent = recipes_folder().parent
    # In the checkout, and in the installed package.
    for folder in (parent / "reports" / "trials", parent / "trials"):
        with suppress(OSError, ValueError):
            trial: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
            return trial
    return {}


def published_recipes() -> list[str]:
    """Return the names of the shipped recipes with a published result, shortest run first.

    Recipes without a measured time come last, ordered by epochs.
    """
    recipes = {name: load_recipe(recipe_path(name)) for name in recipe_names()}

    def length(name: str) -> tuple[float, float]:
        seconds = measured_seconds(name)
        return inf if seconds is None else seconds, float(recipes[name].epochs)

    return sorted((name for name, recipe in recipes.items() if recipe.reference), key=length)

"""How long a full run of a shipped recipe takes, as measured by `make trials`."""

import json
from contextlib import suppress
from math import inf

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path, recipes_folder


def measured_seconds(name: str) -> float | None:
    """Return the estimate of reports/trials for a full run in float32; None where there is none.

    It is that of the machine which reports/trials.md names, and absent from an installed package.
    """
    path = recipes_folder().parent / "reports" / "trials" / f"{name}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds_per_run"])
    return None


def published_recipes() -> list[str]:
    """Return the names of the shipped recipes with a published figure, the shortest run first.

    Recipes that were not measured come last, by their epochs.
    """
    recipes = {name: load_recipe(recipe_path(name)) for name in recipe_names()}

    def length(name: str) -> tuple[float, float]:
        seconds = measured_seconds(name)
        return inf if seconds is None else seconds, float(recipes[name].epochs)

    return sorted((name for name, recipe in recipes.items() if recipe.reference), key=length)

"""Networks outside this package, for recipes with `model: {name: module:factory}`.

Importing a module runs its code, and a run folder from elsewhere may name any module. So nothing is
imported until `allow_outside` is called for a recipe or folder that the user has named.
"""

import inspect
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import keras

from cifar_keras.errors import RecipeError
from cifar_keras.recipe.wording import did_you_mean, short

_folders: list[Path] = []
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_FIRST = ["input_shape", "num_classes"]


def allow_outside(folder: Path) -> None:
    """Allow this process to import the networks that recipes name, including those in `folder`.

    The folder goes last on the Python path, so that its files cannot hide installed modules.
    """
    if folder not in _folders:
        _folders.append(folder)
    if (place := str(folder.resolve())) not in sys.path:
        sys.path.append(place)


def is_outside(name: str) -> bool:
    """Return whether a model name refers to a factory outside this package."""
    return ":" in name


def why_refused(name: str) -> str | None:
    """Return why the network of this name may not be imported; None if it may."""
    if _folders or not is_outside(name):
        return None
    return (
        f"model {short(name)} is code from outside this package, which runs only if you trust it; "
        "name its folder with --trust-model"
    )


def outside_factory(name: str) -> Callable[..., Any]:
    """Return the factory `module:function`, importing its module.

    Raises:
        RecipeError: it may not be imported, does not exist, or is not a factory.
    """
    if reason := why_refused(name):
        raise RecipeError(reason)
    if not (parts := _NAME.fullmatch(name)):
        raise RecipeError(f"model {short(name)}: write module:function, as in my_networks:tiny")
    path, function = parts.groups()
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        # The module exists but imports one that does not: Python's own message explains it best.
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        places = ", ".join(str(folder) for folder in _folders)
        raise RecipeError(
            f"model '{name}': no module '{error.name}' in {places} or on the Python path; "
            "correct the name, or set PYTHONPATH"
        ) from None
    factory = getattr(module, function, None)
    if factory is None:
        hint = did_you_mean(function, vars(module)) or f"define it in {module.__file__}"
        raise RecipeError(f"model '{name}': module '{path}' has no '{function}'; {hint}")
    if not inspect.isfunction(factory) or list(inspect.signature(factory).parameters)[:2] != _FIRST:
        raise RecipeError(
            f"model '{name}': must be a function whose first parameters are {' and '.join(_FIRST)}"
        )
    return factory


def check_network(name: str, model: Any, num_classes: int) -> None:
    """Check that a factory returned a network with one logit per class.

    Raises:
        RecipeError: it returned something else.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise RecipeError(
            f"model '{name}': returned {type(model).__name__}; must return a functional keras.Model"
        )
    if model.output_shape != (None, num_classes):
        raise RecipeError(
            f"model '{name}': its output is {short(model.output_shape)}; "
            f"must be logits, (None, {num_classes})"
        )

"""Find, read and override recipes."""

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cifar_keras.errors import RecipeError
from cifar_keras.recipe.base import alters_network, changed
from cifar_keras.recipe.mistakes import mistakes
from cifar_keras.recipe.names import RULE, is_name
from cifar_keras.recipe.schema import Recipe
from cifar_keras.recipe.strict_yaml import dump_yaml, load_yaml, parse_value
from cifar_keras.recipe.wording import did_you_mean, nearest, short

_PACKAGE = Path(__file__).resolve().parent.parent
# In bytes; recipes are far smaller.
_LARGEST = 100_000


def recipes_folder() -> Path:
    """Return the folder of the shipped recipes, in the checkout or the installed package."""
    checkout = _PACKAGE.parent / "recipes"
    return checkout if checkout.is_dir() else _PACKAGE / "recipes"


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes, sorted with numbers in natural order."""
    return sorted((path.stem for path in recipes_folder().glob("*.yaml")), key=_natural)


def _natural(name: str) -> list[tuple[int, int, str]]:
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    letters = "".join(" " if c.isdigit() else c for c in name).split()
    key = [(0, 0, letters[0] if letters else "")]
    return key + [(1, int(number), "") for number in digits] + [(2, 0, name)]


def recipe_path(name_or_file: str) -> Path:
    """Return the file of a shipped recipe, or the path itself if a file is given.

    Raises:
        RecipeError: there is no such recipe (the message names the closest), or its file's name
            cannot name a run folder.
    """
    if _is_file(name_or_file):
        # Unlike pathlib's is_file, this is False for names that no file can have.
        if not os.path.isfile(name_or_file):
            raise RecipeError(f"recipe file {short(name_or_file)} does not exist; correct the path")
        return _named(Path(name_or_file))
    path = recipes_folder() / f"{name_or_file}.yaml"
    if os.path.isfile(path):
        return _named(path)
    hint = did_you_mean(name_or_file, recipe_names()) or "see 'cifar-keras recipes'"
    raise RecipeError(f"unknown recipe {short(name_or_file)}; {hint}")


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name


def _named(path: Path) -> Path:
    if not is_name(path.stem):
        raise RecipeError(
            f"recipe file {str(path)!r}: {path.stem!r} is also used for folders and pages and must "
            f"be {RULE}; rename the file"
        )
    return path


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the resolved recipe of a file, with `KEY=VALUE` overrides applied.

    An override such as `optimizer.momentum=0.8` may name any key of the resolved recipe. Overrides
    of the network remove the stated number of parameters.

    Raises:
        RecipeError: the file, its base or an override has mistakes. The message has one line per
            mistake, with file, key, value and remedy.
    """
    path = Path(path)
    return overridden(_checked(path, _whole(path)), overrides, path)


def overridden(recipe: Recipe, overrides: Sequence[str], path: Path = Path("recipe")) -> Recipe:
    """Return the recipe with `KEY=VALUE` overrides applied.

    Args:
        recipe: the resolved recipe.
        overrides: as of `load_recipe`.
        path: the file to name in messages.

    Raises:
        RecipeError: an override has mistakes.
    """
    if not overrides:
        return recipe
    tree = recipe.model_dump()
    keys = [override.partition("=")[0] for override in overrides]
    if alters_network(keys):
        tree["parameters"] = 0
    for override in overrides:
        _override(tree, override)
    return _checked(path, tree)


def _checked(path: Path, tree: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        lines = mistakes(path.name, tree, error.errors(), Recipe)
        raise RecipeError("\n".join(lines)) from None


def own_keys(path: Path) -> tuple[str | None, dict[str, Any]]:
    """Return the base that a recipe's file names, if any, and the keys it changes.

    Title and reference are left out, as they are never inherited.

    Raises:
        RecipeError: the file is not YAML.
    """
    tree = _read(path)
    base = tree.pop("base", None)
    return base, {key: value for key, value in tree.items() if key not in ("title", "reference")}


def named_base(path: Path) -> str | None:
    """Return the base that a recipe's file names, if any.

    Raises:
        RecipeError: the file is not YAML.
    """
    return own_keys(path)[0]


def opening_comment(path: Path) -> str:
    """Return the opening comment of a recipe's file, without the "#"."""
    lines = path.read_text(encoding="utf-8").splitlines()
    opening = takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in opening)


def _whole(path: Path) -> dict[str, Any]:
    tree = _read(path)
    if "base" not in tree:
        return tree
    name = tree.pop("base")
    if not isinstance(name, str):
        raise RecipeError(f"{path.name}: base = {short(name)}; must name a recipe or a file")
    # A file is relative to the recipe that names it.
    try:
        other = recipe_path(str(path.parent / name) if _is_file(name) else name)
    except RecipeError as error:
        raise RecipeError(f"{path.name}: base: {error}") from None
    base = _read(other)
    if "base" in base:
        raise RecipeError(
            f"{path.name}: base {short(name)} has a base of its own; name a recipe without one"
        )
    _checked(other, base)
    return changed(base, tree)


def _read(path: Path) -> dict[str, Any]:
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise RecipeError(f"has {size:,} bytes; a recipe has at most {_LARGEST:,}")
        tree = load_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path.name}: not YAML: {' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path.name}: cannot be read as UTF-8 text: {error}") from None
    except RecipeError as error:
        raise RecipeError(f"{path.name}: {error}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path.name}: has no keys; see the shipped recipes for examples")
    return tree


def resolved(path: str | Path, overrides: Sequence[str] = ()) -> str:
    """Return the text of a resolved recipe: the file's opening comment, then every key.

    Raises:
        RecipeError: as `load_recipe`.
    """
    path = Path(path)
    recipe = load_recipe(path, overrides)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    opening = "".join(takewhile(lambda line: line.startswith("#"), lines))
    marks = "".join(f"# --set {' '.join(override.split())}\n" for override in overrides)
    return opening + marks + dump_yaml(recipe.model_dump(mode="json"))


def altering(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that modify the recipe: all but the precision."""
    return [each for each in overrides if each.partition("=")[0] != "precision"]


def _override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {short(override)}: write KEY=VALUE, as in optimizer.momentum=0.8")
    try:
        value = parse_value(text)
    except RecipeError as error:
        raise RecipeError(f"--set {short(key)}: {error}") from None
    *parents, last = key.split(".")
    node: Any = tree
    for part in parents:
        node = _child(node, part, key)
    if isinstance(node, list):
        _child(node, last, key)
        node[int(last)] = value
    elif isinstance(node, dict):
        # Only in `model` may a key be new: an argument that the recipe leaves out.
        if node is not tree.get("model"):
            _child(node, last, key)
        node[last] = value
    else:
        raise RecipeError(f"--set {short(key)}: {short('.'.join(parents))} is not a section")


def _child(node: Any, part: str, key: str) -> Any:
    names = [str(i) for i in range(len(node))] if isinstance(node, list) else list(node or ())
    if part in names:
        return node[int(part)] if isinstance(node, list) else node[part]
    hint = nearest(part, names, "there are")
    raise RecipeError(f"--set {short(key)}: unknown key {short(part)}; {hint}")

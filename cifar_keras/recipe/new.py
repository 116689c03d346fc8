"""Write a new recipe to start from."""

from pathlib import Path
from typing import Any

from cifar_keras.errors import RecipeError
from cifar_keras.files import write_bytes
from cifar_keras.recipe.files import load_recipe, named_base, recipe_names, recipe_path
from cifar_keras.recipe.names import RULE, is_name
from cifar_keras.recipe.strict_yaml import dump_yaml
from cifar_keras.recipe.wording import short

_KEYS = ("model", "data", "optimizer", "label_smoothing", "stages")


def write_new_recipe(name: str, base: str, folder: Path) -> Path:
    """Write `name`.yaml into the folder; return its path.

    The new recipe trains the same as `base`. The keys most often changed follow as comments, with
    their values in the base.

    Args:
        name: the name of the new recipe.
        base: a shipped recipe, or a file relative to the folder.
        folder: the folder to write into.

    Raises:
        RecipeError: the name is not allowed or taken, the base is unknown or has mistakes, or the
            file exists.
        RunError: the folder cannot be written.
    """
    if not is_name(name):
        raise RecipeError(f"recipe name {short(name)} must be {RULE}")
    if name in recipe_names():
        raise RecipeError(f"'{name}' is a shipped recipe; choose another name")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise RecipeError(f"'{path}' exists; choose another name, or remove it")
    write_bytes(path, _text(name, base).encode())
    return path


def _text(name: str, base: str) -> str:
    path = recipe_path(base)
    tree = load_recipe(path).model_dump(mode="json", exclude_defaults=True)
    head = (
        f"# {name}: what it changes, and why.\n#\n"
        f"#   cifar-keras recipes show {name}.yaml\n#   cifar-keras train --recipe {name}.yaml\n"
    )
    title = dump_yaml({"title": f"{name}, a variant of {path.stem}"})
    if named_base(path):
        # A base has no base itself, so the new recipe states every key.
        own = {key: value for key, value in tree.items() if key not in ("title", "reference")}
        own.pop("parameters", None)
        return f"{head}{title}{dump_yaml(own)}"
    return (
        f"{head}{dump_yaml({'base': base})}{title}\n"
        f"# The values of {path.stem}. Remove '# ' from the lines you change; delete the rest.\n"
        "# Sections merge key by key, lists are replaced, and another `name` or `kind` replaces\n"
        "# its section.\n"
        f"{_commented({key: tree[key] for key in _KEYS if key in tree})}"
    )


def _commented(tree: dict[str, Any]) -> str:
    return "".join(f"# {line}\n" for line in dump_yaml(tree).splitlines())

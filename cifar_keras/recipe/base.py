"""Merge a recipe with its base, the recipe from which it states only the differences."""

from collections.abc import Iterable
from typing import Any

from cifar_keras.recipe.flattening import flat

# Keys that are never inherited.
_OWN = ("title", "reference")
# A section with another name or kind has other keys, so it replaces the base's section.
_TAGS = ("name", "kind")
# Keys that determine the number of parameters.
_NETWORK = ("model", "dataset", "data.crop")


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the base with the changes: sections are merged, lists and other values replaced.

    A section whose `name` or `kind` changes is replaced as a whole. Title and reference are never
    inherited, nor is the number of parameters if the network changes.
    """
    inherited = {key: value for key, value in base.items() if key not in _OWN}
    if alters_network(flat(changes)):
        inherited.pop("parameters", None)
    return _merged(inherited, changes)


def alters_network(keys: Iterable[str]) -> bool:
    """Return whether changes of these dotted keys can change the number of parameters."""
    return any(f"{key}.".startswith(f"{each}.") for key in keys for each in _NETWORK)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, new in changes.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(new, dict) and _same_kind(old, new):
            merged[key] = _merged(old, new)
        else:
            merged[key] = new
    return merged


def _same_kind(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(new.get(tag, old.get(tag)) == old.get(tag) for tag in _TAGS)

"""A recipe that says only how it differs from another one, its base."""

from collections.abc import Iterable
from typing import Any

from cifar_keras.recipe.flattening import flat

# Of these each recipe has its own.
_OWN = ("title", "reference")
# A section of another name or kind has other keys, so nothing of the base's is left in it.
_TAGS = ("name", "kind")
# What the number of a network's parameters depends on.
_NETWORK = ("model", "dataset", "data.crop")


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the base with the changes: sections merge, lists and all else are replaced.

    A section whose `name` or `kind` changes is replaced whole. The title and the reference are
    never the base's, nor is the number of parameters where the network changes.
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

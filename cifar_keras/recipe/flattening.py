"""A tree of plain data as one level of keys."""

from typing import Any


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves by their dotted paths; a list of trees has its places as keys, counted from 0."""
    if isinstance(tree, dict):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list) and any(isinstance(each, dict) for each in tree):
        pairs = [(str(number), value) for number, value in enumerate(tree)]
    else:
        return {prefix: tree}
    return {
        k: v for key, value in pairs for k, v in flat(value, f"{prefix}.{key}".strip(".")).items()
    }

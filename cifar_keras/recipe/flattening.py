"""Flatten a tree of plain data."""

from typing import Any


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves by dotted path; for lists of trees, indices from 0 are keys."""
    if isinstance(tree, dict):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list) and any(isinstance(each, dict) for each in tree):
        pairs = [(str(number), value) for number, value in enumerate(tree)]
    else:
        return {prefix: tree}
    return {
        k: v for key, value in pairs for k, v in flat(value, f"{prefix}.{key}".strip(".")).items()
    }

"""What a recipe of an earlier version meant by leaving out keys that did not exist yet.

A run folder keeps its recipe as it was. Reading it through here keeps old evidence comparable.
"""

from typing import Any


def upgrade(tree: Any) -> Any:
    """The recorded recipe with the keys that have come since 0.1.0."""
    if not isinstance(tree, dict) or not isinstance(tree.get("stages"), list):
        return tree
    stages = [{"start": "scratch", **stage} for stage in tree["stages"]]
    reference = tree.get("reference")
    if reference is not None:
        reference = {"verified": True, **reference}
        if isinstance(reference.get("curve"), dict):
            reference["curve"] = {"stage": None, **reference["curve"]}
    return tree | {"stages": stages, "reference": reference}

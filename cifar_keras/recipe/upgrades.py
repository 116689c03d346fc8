"""Keys that have come since 0.1.0, and what a recipe without them meant.

A run folder keeps its recipe as it was. Reading it through here keeps old evidence comparable.
"""

from typing import Any

# By section; None is the recipe itself. These values are what the absence of the key meant.
_NEUTRAL: dict[str | None, dict[str, Any]] = {
    None: {
        "initial_weights": "none",
        "lookahead": "none",
        "batch_norm": "synchronized",
        "precision": "float32",
    },
    "data": {"contrast": "none", "cutout": 0, "sizes": [], "keras_cv": []},
    "sgd": {"form": "classic", "loss_factor": 1, "groups": []},
    "stages": {"frozen": []},
    "reference": {
        "verified": True,
        "inferred": [],
        "spread": None,
        "augmented": False,
        "band": None,
    },
}


def upgrade(tree: Any) -> Any:
    """The recorded recipe with the keys that have come since 0.1.0."""
    if not isinstance(tree, dict) or not isinstance(tree.get("stages"), list):
        return tree
    new = _NEUTRAL[None] | tree
    new["stages"] = [
        {"start": "scratch", **_NEUTRAL["stages"], **stage} for stage in tree["stages"]
    ]
    if isinstance(tree.get("data"), dict):
        new["data"] = _NEUTRAL["data"] | tree["data"]
    if isinstance(tree.get("optimizer"), dict) and tree["optimizer"].get("name") == "sgd":
        new["optimizer"] = _NEUTRAL["sgd"] | tree["optimizer"]
    if isinstance(tree.get("reference"), dict):
        reference = _NEUTRAL["reference"] | tree["reference"]
        if isinstance(reference.get("curve"), dict):
            reference["curve"] = {"stage": None, **reference["curve"]}
        new["reference"] = reference
    return new


def without_neutral(tree: dict[str, Any]) -> dict[str, Any]:
    """What can move a number, less the later keys that say what their absence meant."""
    optimizer = tree["optimizer"]
    return _less(tree, _NEUTRAL[None]) | {
        "data": _less(tree["data"], _NEUTRAL["data"]),
        "optimizer": _less(optimizer, _NEUTRAL["sgd"]) if optimizer["name"] == "sgd" else optimizer,
        "stages": [_less(stage, _NEUTRAL["stages"]) for stage in tree["stages"]],
    }


def _less(tree: dict[str, Any], neutral: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in tree.items() if not (k in neutral and v == neutral[k])}

"""The hash that a run folder keeps of its recipe.

Keys added after 0.1.0 are hashed only if they have an effect, so that older hashes stay valid.
"""

import hashlib
import json
from typing import Any

# By section, the keys added later with the value that has no effect; None is the top level.
_LATER: dict[str | None, dict[str, Any]] = {
    None: {
        "initial_weights": "none",
        "lookahead": "none",
        "batch_norm": "synchronized",
        "precision": "float32",
    },
    "data": {"validation": 0, "contrast": "none", "cutout": 0, "sizes": [], "keras_cv": []},
    "sgd": {"form": "classic", "loss_factor": 1, "groups": []},
    "stages": {"frozen": []},
}


def hash_of(tree: dict[str, Any]) -> str:
    """Return the SHA-256 of a resolved recipe given as plain data."""
    optimizer = tree["optimizer"]
    entering = _less(tree, _LATER[None]) | {
        "data": _less(tree["data"], _LATER["data"]),
        "optimizer": _less(optimizer, _LATER["sgd"]) if optimizer["name"] == "sgd" else optimizer,
        "stages": [_less(stage, _LATER["stages"]) for stage in tree["stages"]],
    }
    text = json.dumps(entering, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _less(tree: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in tree.items() if not (k in later and v == later[k])}

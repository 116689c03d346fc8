"""One line for each mistake that pydantic finds: file, key, value, remedy."""

import difflib
from math import isfinite
from typing import Any

from pydantic import BaseModel

from cifar_keras.recipe import optimizer, reference, schema


def mistake(file: str, tree: Any, error: Any) -> str:
    """One line for one of pydantic's findings in `tree`, the data of `file`."""
    # `loc` also names the branches of unions, which are no keys of the file: they are skipped.
    node, keys, siblings = tree, [], []
    for part in error["loc"]:
        present = isinstance(node, dict) and part in node
        if present or (isinstance(node, list) and isinstance(part, int)):
            siblings, node = list(node) if isinstance(node, dict) else [], node[part]
            keys.append(str(part))
        elif error["type"] == "missing" and part == error["loc"][-1]:
            keys.append(str(part))
    key = ".".join(keys) or "recipe"
    if error["type"] == "missing":
        return f"{file}: key '{key}' is missing; add it"
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"])
        near = difflib.get_close_matches(keys[-1], [k for k in known if k not in siblings], n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
        return f"{file}: unknown key '{key}' = {node!r}; {hint}"
    return f"{file}: key '{key}' = {node!r}: {_remedy(node, error)}"


def _remedy(value: Any, error: Any) -> str:
    if isinstance(value, str) and error["type"] in ("float_type", "int_type"):
        try:
            number = float(value)
        except ValueError:
            return "this is text where a number belongs"
        if not isfinite(number):
            return "no number is that large"
        return (
            f"'{value}' is text to YAML; write {number!r}"
            if "." in repr(number)
            else (f"'{value}' is text to YAML; write {number:.1e}")
        )
    if isinstance(value, bool):
        return f"{error['msg']}; YAML reads yes, no, on and off as true or false: quote text"
    return str(error["msg"]).removeprefix("Value error, ")


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys of the section that `loc` points into, by walking the schema."""
    sections: dict[str, type[BaseModel]] = {
        "data": schema.Data,
        "keras_cv": schema.KerasCvLayer,
        "sgd": optimizer.Sgd,
        "muon": optimizer.Muon,
        "others": optimizer.Sgd,
        "adadelta": optimizer.Adadelta,
        "groups": optimizer.Group,
        "until": optimizer.Until,
        "inverse": optimizer.Inverse,
        "lookahead": optimizer.Lookahead,
        "initial_weights": schema.PublishedWeights,
        "constant": schema.Constant,
        "steps": schema.Steps,
        "linear": schema.Linear,
        "stages": schema.Stage,
        "Start": schema.Start,
        "reference": reference.Reference,
        "spread": reference.Spread,
        "band": reference.Band,
        "curve": reference.Curve,
    }
    owners = [sections[part] for part in loc[:-1] if part in sections]
    return list((owners[-1] if owners else schema.Recipe).model_fields)

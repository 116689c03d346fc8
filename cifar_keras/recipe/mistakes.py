"""Turn pydantic's errors into one line per mistake: file, key, value, remedy."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, get_args

from pydantic import BaseModel

from cifar_keras.errors import in_one_line
from cifar_keras.recipe.wording import cut, did_you_mean, short

# More lines would not help.
_MOST = 20
_Keys = tuple[str | int, ...]


def mistakes(file: str, tree: Any, errors: Sequence[Any], schema: type[BaseModel]) -> list[str]:
    """Return one line for each place in `tree`, the data of `file`, that has `errors`."""
    # For a union, pydantic reports the errors of every member, so group them by place.
    places: dict[tuple[_Keys, bool], list[Any]] = {}
    for error in errors:
        places.setdefault((_keys(tree, error), _of_key(error)), []).append(error)
    above = {keys[:end] for keys, _ in places for end in range(len(keys))}
    lines = [
        _line(file, tree, keys, found, schema)
        for (keys, of_key), found in places.items()
        if of_key or keys not in above
    ]
    more = [f"{file}: and {len(lines) - _MOST:,} more"] if len(lines) > _MOST else []
    return lines[:_MOST] + more


def _of_key(error: Any) -> bool:
    return error["type"] in ("missing", "extra_forbidden")


def _keys(tree: Any, error: Any) -> _Keys:
    # `loc` also contains the members of unions; skip them, as they are not keys of the file.
    node, keys = tree, []
    for part in error["loc"]:
        if (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int)
        ):
            node = node[part]
            keys.append(part)
        elif error["type"] == "missing" and part == error["loc"][-1]:
            keys.append(part)
    return tuple(keys)


def _line(file: str, tree: Any, keys: _Keys, found: Sequence[Any], schema: type[BaseModel]) -> str:
    key, kind = short(".".join(map(str, keys))), found[0]["type"]
    if kind == "missing":
        return f"{file}: key {key} is missing; add it"
    value = tree
    for part in keys:
        parent, value = value, value[part]
    if kind == "extra_forbidden":
        known = sorted(
            {k for each in _sections(schema, tree, keys[:-1]) for k in each.model_fields}
        )
        absent = [name for name in known if name not in parent]
        hint = did_you_mean(str(keys[-1]), absent) or f"known here: {', '.join(known)}"
        return f"{file}: unknown key {key} = {short(value)}; {hint}"
    remedies = " or: ".join(dict.fromkeys(_remedy(value, error) for error in found))
    return f"{file}: key {key} = {short(value)}: {remedies}" if keys else f"{file}: {remedies}"


def _remedy(value: Any, error: Any) -> str:
    if isinstance(value, str) and error["type"] in ("float_type", "int_type"):
        return _number(value, whole=error["type"] == "int_type")
    message = cut(in_one_line(str(error["msg"])).removeprefix("Value error, "), 300)
    if isinstance(value, bool):
        return f"{message}; YAML reads yes, no, on and off as true or false; quote text"
    return message


def _number(text: str, whole: bool) -> str:
    try:
        number = float(text)
    except ValueError:
        return "must be a number, not text"
    if not isfinite(number) or abs(number) >= 1e20:
        return "is too large or not finite"
    if whole and number == int(number):
        return f"{short(text)} is text to YAML; write {int(number)}"
    plain = repr(number)
    return f"{short(text)} is text to YAML; write {plain if '.' in plain else f'{number:.1e}'}"


def _sections(schema: type[BaseModel], tree: Any, keys: _Keys) -> list[type[BaseModel]]:
    """Return the models that the section at these keys may have, by walking schema and data."""
    sections, node = [schema], tree
    for key in keys:
        node = node[key]
        if isinstance(key, str):
            fields = [each.model_fields[key] for each in sections if key in each.model_fields]
            sections = [form for field in fields for form in _forms(field.annotation)]
        if isinstance(node, dict):
            sections = [form for form in sections if _tagged(form, node)] or sections
    return sections


def _forms(annotation: Any) -> Iterator[type[BaseModel]]:
    arguments = get_args(annotation)
    for each in arguments:
        yield from _forms(each)
    if not arguments and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _tagged(form: type[BaseModel], node: dict[str, Any]) -> bool:
    """Return whether `node` has the `name` or `kind` of this model."""
    tags = [tag for tag in ("name", "kind") if tag in form.model_fields]
    return all(node.get(tag) in get_args(form.model_fields[tag].annotation) for tag in tags)

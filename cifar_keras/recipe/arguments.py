"""Free-form arguments of a recipe, held against what they are for."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cifar_keras.errors import RecipeError


def check_arguments(
    owner: str, known: Mapping[str, Any], given: Mapping[str, Any], section: str
) -> None:
    """Nothing, if exactly the `known` arguments, a type each, are `given` with such values.

    Raises:
        RecipeError: one is unknown, missing or of another type; `owner` is who takes them, and
            `section` the part of the recipe where they belong.
    """
    for argument, value in given.items():
        if argument not in known:
            hint = nearest(argument, known, "it takes")
            raise RecipeError(f"{owner} has no argument '{argument}'; {hint}")
        try:
            TypeAdapter(known[argument]).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise RecipeError(f"{owner}: {argument}={value!r}: {reason}") from None
    missing = [argument for argument in known if argument not in given]
    if missing:
        raise RecipeError(f"{owner} lacks {', '.join(missing)}; add to '{section}'")


def nearest(name: str, known: Iterable[str], there_are: str) -> str:
    """The known name that may have been meant, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"{there_are}: {', '.join(names)}"

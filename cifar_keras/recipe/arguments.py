"""Free-form arguments of a recipe: their limits, and their check against a signature."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, PydanticUserError, TypeAdapter, ValidationError

from cifar_keras.errors import RecipeError
from cifar_keras.recipe.wording import nearest

__all__ = ["Argument", "check_arguments", "nearest"]

# Generous limits that still rule out networks too large to build.
_LARGEST = 2**20
_LONGEST = 100


def _plain(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(each, bool | int | float | str | None) for each in values):
        raise ValueError("must be a number, text, true, false, null, or a list of these")
    if len(values) > _LONGEST:
        raise ValueError(f"a list of {len(values):,}; must have at most {_LONGEST}")
    numbers = [each for each in values if isinstance(each, int | float)]
    if not all(isfinite(each) and abs(each) <= _LARGEST for each in numbers):
        raise ValueError(f"must be a number up to {_LARGEST:,}")
    return value


Argument = Annotated[Any, AfterValidator(_plain)]


def check_arguments(
    owner: str, known: Mapping[str, Any], given: Mapping[str, Any], section: str
) -> None:
    """Check that the `given` arguments are exactly the `known` ones, with values of their types.

    Args:
        owner: what takes the arguments, for messages.
        known: types by argument name.
        given: values by argument name.
        section: the part of the recipe that holds the arguments, for messages.

    Raises:
        RecipeError: an argument is unknown, missing or of another type.
    """
    for argument, value in given.items():
        if argument not in known:
            hint = nearest(argument, known, "it takes")
            raise RecipeError(f"{owner} has no argument '{argument}'; {hint}")
        try:
            TypeAdapter(known[argument]).validate_python(value, strict=True)
        except PydanticUserError:
            reason = f"has the annotation {known[argument]!r}, which a recipe cannot express"
            raise RecipeError(f"{owner}: {argument} {reason}; use numbers, text or lists") from None
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise RecipeError(f"{owner}: {argument}={value!r}: {reason}") from None
    missing = [argument for argument in known if argument not in given]
    if missing:
        raise RecipeError(f"{owner} lacks {', '.join(missing)}; add to '{section}'")

"""Convert command-line text to values, or refuse it with its remedy."""

import math
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from pathlib import Path

_SMALLEST, _LARGEST = Decimal("1e-6"), Decimal(1000)


def budget(text: str) -> str:
    """Return a positive number in one decimal form, as it names the run folder: 0.10 is 0.1."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not (number.is_finite() and number > 0):
        raise ArgumentTypeError(f"'{text}' is not a positive number; write 0.1, for example")
    if not _SMALLEST <= number <= _LARGEST:
        raise ArgumentTypeError(f"'{text}' must be between {_SMALLEST:f} and {_LARGEST}")
    return f"{number.normalize():f}"


def every(text: str) -> dict[str, float]:
    """Return `10`, `10min` or `500steps` as seconds or steps."""
    number, unit = text, "min"
    for ending in ("steps", "min"):
        if text.endswith(ending):
            number, unit = text.removesuffix(ending).strip(), ending
    if unit == "steps":
        if _is_whole(number) and int(number) > 0:
            return {"steps": int(number)}
    else:
        try:
            minutes = float(number)
        except ValueError:
            minutes = 0
        if 0 < minutes < math.inf:
            return {"seconds": 60 * minutes}
    raise ArgumentTypeError(
        f"'{text}' is neither a time nor a number of steps; write 10min or 500steps"
    )


def seed(text: str) -> int:
    """Return an integer that TensorFlow accepts as a seed."""
    if not _is_whole(text) or int(text) >= 2**31:
        raise ArgumentTypeError(f"'{text}' is not a whole number from 0 to {2**31 - 1}")
    return int(text)


def index(text: str) -> int:
    """Return an integer of at least 0."""
    if not _is_whole(text):
        raise ArgumentTypeError(f"'{text}' must be a whole number of at least 0")
    return int(text)


def epochs(text: str) -> int:
    """Return a number of epochs, at least 1."""
    if not (_is_whole(text) and int(text) > 0):
        raise ArgumentTypeError(f"'{text}' is not a number of epochs; use 1 or more")
    return int(text)


def several(text: str) -> int:
    """Return a number of workers, at least 2."""
    if not (_is_whole(text) and int(text) > 1):
        raise ArgumentTypeError(f"'{text}' is not a number of workers; write 2 or more")
    return int(text)


def recipes(text: str) -> list[str]:
    """Return comma-separated names or files of recipes as a list."""
    if Path(text).is_file():
        return [text]
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"'{text}' has an empty name; remove a comma")
    return names


def seeds(text: str) -> list[int]:
    """Return comma-separated seeds as a list."""
    return [seed(part.strip()) for part in text.split(",")]


def _is_whole(text: str) -> bool:
    # isdigit is also true of superscripts.
    return text.isascii() and text.isdigit()

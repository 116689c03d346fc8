"""Text of the command line -> values; what cannot be meant is refused with what to write."""

import math
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from pathlib import Path

_SMALLEST, _LARGEST = Decimal("1e-6"), Decimal(1000)


def budget(text: str) -> str:
    """A positive number as decimal text, the same for 0.1 and 0.10: it names the run folder."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not (number.is_finite() and number > 0):
        raise ArgumentTypeError(f"'{text}' is not a positive number; write 0.1, for example")
    if not _SMALLEST <= number <= _LARGEST:
        raise ArgumentTypeError(f"'{text}' is not from {_SMALLEST:f} to {_LARGEST}")
    return f"{number.normalize():f}"


def every(text: str) -> dict[str, float]:
    """`10`, `10min` or `500steps` as seconds or steps."""
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
    """A whole number that TensorFlow takes as a seed."""
    if not _is_whole(text) or int(text) >= 2**31:
        raise ArgumentTypeError(f"'{text}' is not a whole number from 0 to {2**31 - 1}")
    return int(text)


def index(text: str) -> int:
    """A whole number, from 0 on."""
    if not _is_whole(text):
        raise ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)


def epochs(text: str) -> int:
    """A number of epochs, 1 or more."""
    if not (_is_whole(text) and int(text) > 0):
        raise ArgumentTypeError(f"'{text}' is not a number of epochs; use 1 or more")
    return int(text)


def several(text: str) -> int:
    """A number of workers."""
    if not (_is_whole(text) and int(text) > 1):
        raise ArgumentTypeError(f"'{text}' is not a number of workers; write 2 or more")
    return int(text)


def recipes(text: str) -> list[str]:
    """Names or files of recipes, with commas between them."""
    if Path(text).is_file():
        return [text]
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"'{text}' names no recipe between two commas; remove one")
    return names


def seeds(text: str) -> list[int]:
    """Seeds with commas between them."""
    return [seed(part.strip()) for part in text.split(",")]


def _is_whole(text: str) -> bool:
    # isdigit alone holds for a superscript, too.
    return text.isascii() and text.isdigit()

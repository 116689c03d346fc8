"""What error messages have in common."""

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the question after the known name that is nearest to `name`, None if none is near."""
    near = difflib.get_close_matches(name[:100], list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else None


def nearest(name: str, known: Iterable[str], there_are: str) -> str:
    """Return the question after the nearest known name, or the list of all of them."""
    names = list(known)
    return did_you_mean(name, names) or f"{there_are}: {', '.join(names)}"


def short(value: Any) -> str:
    """Return the value's `repr`, cut where it is longer than a line."""
    return cut(repr(value), 100)


def cut(text: str, longest: int) -> str:
    """Return the text, cut to so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."

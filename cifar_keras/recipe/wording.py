"""Parts of error messages."""

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean ...?" with the closest known name, or None if none is close."""
    near = difflib.get_close_matches(name[:100], list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else None


def nearest(name: str, known: Iterable[str], there_are: str) -> str:
    """Return "did you mean ...?" with the closest known name, or the list of all names."""
    names = list(known)
    return did_you_mean(name, names) or f"{there_are}: {', '.join(names)}"


def short(value: Any) -> str:
    """Return the value's `repr`, cut to 100 characters."""
    return cut(repr(value), 100)


def cut(text: str, longest: int) -> str:
    """Return the text, cut to `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."

"""One thing that a run folder states, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any, Literal

State = Literal[
    "holds", "FAILS", "absent", "not recorded", "not checkable", "differs", "unfinished"
]
# What the checks of a run folder come to; see `outcome`.
Outcome = Literal["recomputed", "files only", "unfinished", "FAILS"]


@dataclass(frozen=True)
class Check:
    """What is stated, whether it holds, and what was found.

    Of the states only "FAILS" speaks against the run: "absent" is what cannot be checked without
    the weights or the code of a network of one's own, "not recorded" what an earlier version of
    this package did not write down, "not checkable" what nobody can find again, "differs" a recipe
    that is not the shipped one, and "unfinished" a run that has not come to its end.
    """

    name: str
    state: State
    note: str = ""


def outcome(checks: Sequence[Check]) -> Outcome:
    """What a run's checks come to.

    "recomputed": the saved network gave the figures again; "files only": the weights are absent,
    and the files agree with one another; "unfinished": the same of a run that goes on.
    """
    states = {check.state for check in checks}
    if "FAILS" in states:
        return "FAILS"
    if "unfinished" in states:
        return "unfinished"
    return "files only" if "absent" in states else "recomputed"


def equal(name: str, stated: Any, found: Any, note: str = "") -> Check:
    """Whether both are the same; the note stands where they are."""
    if stated == found:
        return Check(name, "holds", note or shown(stated))
    return Check(name, "FAILS", f"{shown(stated)} is stated, {shown(found)} found")


def close(name: str, stated: float | None, found: float | None, tolerance: float) -> Check:
    """Whether both are the same but for this share of them, or both None."""
    if stated is None or found is None:
        return equal(name, stated, found)
    near = isclose(stated, found, rel_tol=tolerance)
    return Check(
        name,
        "holds" if near else "FAILS",
        shown(stated) if near else f"{shown(stated)} is stated, {shown(found)} found",
    )


def shown(value: Any) -> str:
    """A value as the lines show it."""
    if isinstance(value, str) and len(value) == 64:
        return f"sha256 {value[:8]}"
    if isinstance(value, float):
        return f"{value:.7g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

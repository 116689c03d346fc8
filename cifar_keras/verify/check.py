"""One claim of a run folder, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any, Literal

State = Literal[
    "holds", "FAILS", "absent", "not recorded", "not checkable", "differs", "unfinished"
]
# The summary of a run folder's checks; see `outcome`.
Outcome = Literal["recomputed", "files only", "unfinished", "FAILS"]


@dataclass(frozen=True)
class Check:
    """A claim, whether it holds, and a note on what was found.

    Only the state "FAILS" is evidence against the run. The other states are:

    - "absent": cannot be checked without the weights or the code of the user's own network.
    - "not recorded": an earlier version of this package did not record it.
    - "not checkable": nobody can recompute it.
    - "differs": the recipe is not the shipped one.
    - "unfinished": the run is not finished.
    """

    name: str
    state: State
    note: str = ""


def outcome(checks: Sequence[Check]) -> Outcome:
    """Summarize a run's checks.

    "FAILS": a check failed; "recomputed": the saved network gives the same figures; "files only":
    the weights are absent, but the files agree with each other; "unfinished": the files of an
    unfinished run agree so far.
    """
    states = {check.state for check in checks}
    if "FAILS" in states:
        return "FAILS"
    if "unfinished" in states:
        return "unfinished"
    return "files only" if "absent" in states else "recomputed"


def equal(name: str, stated: Any, found: Any, note: str = "") -> Check:
    """Check that both are the same; `note` is for the case that they are."""
    if stated == found:
        return Check(name, "holds", note or shown(stated))
    return Check(name, "FAILS", f"{shown(stated)} is stated, {shown(found)} found")


def close(name: str, stated: float | None, found: float | None, tolerance: float) -> Check:
    """Check that both are the same within a relative tolerance, or both None."""
    if stated is None or found is None:
        return equal(name, stated, found)
    near = isclose(stated, found, rel_tol=tolerance)
    return Check(
        name,
        "holds" if near else "FAILS",
        shown(stated) if near else f"{shown(stated)} is stated, {shown(found)} found",
    )


def shown(value: Any) -> str:
    """Return a value as text for a note."""
    if isinstance(value, str) and len(value) == 64:
        return f"sha256 {value[:8]}"
    if isinstance(value, float):
        return f"{value:.7g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

"""The machine as far as speed depends on it; neither its name nor any path."""

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cifar_keras.hardware import hardware, instructions
from cifar_keras.provenance import git_state

# Percent of the processors' time that others may take before it is worth a warning.
IDLE = 10.0
# Over which that is measured, in seconds.
WATCHED = 1.5


def run_facts(repeats: int) -> dict[str, Any]:
    """What is kept with every set of figures."""
    facts = hardware([])
    return {
        "cpu": facts["cpu"],
        "cores": facts["cores"],
        "memory_gib": facts["memory_gib"],
        "flags": instructions(),
        "load_before": _load(),
        "busy_before": _busy(),
        "git": git_state(),
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "repeats": repeats,
    }


def busy_percent(before: str, after: str) -> float | None:
    """The share of the processors' time that was not idle, between two readings of /proc/stat.

    None where they have not moved on, as in sandboxes that only imitate the file.
    """
    (idle, total), (idle_before, total_before) = map(_ticks, (after, before))
    passed = total - total_before
    return 100 * (1 - (idle - idle_before) / passed) if passed else None


def disturbance(run: dict[str, Any]) -> str:
    """A sentence where the machine was not idle before the run; empty where it was."""
    busy = run.get("busy_before")
    if busy is None or busy <= IDLE:
        return ""
    return f"Not measured on an idle machine: its processors were {busy:.0f} % busy before."


def _ticks(stat: str) -> tuple[int, int]:
    # user, nice, system, idle, iowait, irq, softirq, steal; guests count as users already.
    ticks = [int(word) for word in stat.split(maxsplit=9)[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _busy() -> float | None:
    try:
        before = Path("/proc/stat").read_text()
        time.sleep(WATCHED)
        busy = busy_percent(before, Path("/proc/stat").read_text())
    except OSError:
        busy = None
    if busy is not None:
        return busy
    try:
        return min(100.0, 100 * os.getloadavg()[0] / (os.cpu_count() or 1))
    except OSError:
        return None


def _load() -> float | None:
    """How busy the machine was in the minute before."""
    try:
        return float(Path("/proc/loadavg").read_text().split()[0])
    except OSError:
        return None

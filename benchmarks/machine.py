"""Record what affects speed on this machine, without its name or any path."""

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cifar_keras.hardware import hardware, instructions
from cifar_keras.provenance import git_state

# Percent of the processors' time that other jobs may take before a warning.
IDLE = 10.0
# Duration of that measurement, in seconds.
WATCHED = 1.5


def run_facts(repeats: int) -> dict[str, Any]:
    """Return the facts that are recorded with every part."""
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
    """Return the percentage of busy processor time between two readings of /proc/stat.

    Return None if the counters have not changed, as in sandboxes that only imitate the file.
    """
    (idle, total), (idle_before, total_before) = map(_ticks, (after, before))
    passed = total - total_before
    return 100 * (1 - (idle - idle_before) / passed) if passed else None


def disturbance(run: dict[str, Any]) -> str:
    """Return a warning if the machine was not idle before the run, else an empty string."""
    busy = run.get("busy_before")
    if busy is None or busy <= IDLE:
        return ""
    return f"The machine was not idle: its processors were {busy:.0f} % busy before this."


def _ticks(stat: str) -> tuple[int, int]:
    # user, nice, system, idle, iowait, irq, softirq, steal; user already includes guests.
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
    """Return the load average of the last minute."""
    try:
        return float(Path("/proc/loadavg").read_text().split()[0])
    except OSError:
        return None

"""The machine as far as speed depends on it; neither its name nor any path."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cifar_keras.provenance import git_state, hardware

# Vectors, and arithmetic in fewer bits.
FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_tile",
)


def run_facts(repeats: int) -> dict[str, Any]:
    """What is kept with every set of figures."""
    facts = hardware([])
    return {
        "cpu": facts["cpu"],
        "cores": facts["cores"],
        "memory_gib": facts["memory_gib"],
        "flags": cpu_flags(_cpuinfo()),
        "load_before": _load(),
        "git": git_state(),
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "repeats": repeats,
    }


def cpu_flags(cpuinfo: str) -> list[str]:
    """Those of FLAGS that a /proc/cpuinfo has."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            there = set(value.split())
            return [flag for flag in FLAGS if flag in there]
    return []


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _load() -> float | None:
    """How busy the machine was in the minute before."""
    try:
        return float(Path("/proc/loadavg").read_text().split()[0])
    except OSError:
        return None

"""The machine: its processor, memory and devices."""

import os
import platform
from pathlib import Path
from typing import Any

# Instruction sets by which oneDNN chooses its kernels: vectors and low-precision arithmetic.
INSTRUCTIONS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_bf16", "amx_tile", "bf16"),
)
# Each of these can multiply bfloat16 numbers.
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def instructions(cpuinfo: str | None = None) -> list[str]:
    """Return which of INSTRUCTIONS /proc/cpuinfo lists; an empty list without that file."""
    for line in (_cpuinfo() if cpuinfo is None else cpuinfo).splitlines():
        name, _, value = line.partition(":")
        # The line is called "flags" on x86 and "Features" on ARM.
        if name.strip() in ("flags", "Features"):
            there = set(value.split())
            return [each for each in INSTRUCTIONS if each in there]
    return []


def hardware(devices: list[str]) -> dict[str, Any]:
    """Return the processor's name, usable cores, memory in GiB, and the GPUs in use."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "gpus": [device for device in devices if not device.startswith("CPU")],
    }


def _cpu_name() -> str:
    lines = _cpuinfo().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None

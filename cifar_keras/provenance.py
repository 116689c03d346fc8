"""What a run was made from: code, versions, machine. The data's own record comes from `data`."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cifar_keras import __version__
from cifar_keras.records import Event

PACKAGES = ("tensorflow", "keras", "numpy")
# Instructions that oneDNN chooses its kernels by: vectors, and arithmetic in fewer bits.
INSTRUCTIONS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_bf16", "amx_tile", "bf16"),
)
# Any of these multiplies bfloat16 numbers.
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def provenance(data: dict[str, Any], devices: list[str]) -> dict[str, Any]:
    """The record that goes into run.json: plain data, without any path of this machine."""
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "git": git_state(),
        "hardware": hardware(devices),
        "devices": devices,
        "onednn": onednn(),
        "data": data,
    }


def new_event(
    kind: Any,
    stage: int,
    step: int,
    machine: dict[str, Any],
    note: str | None = None,
    files: dict[str, str] | None = None,
) -> Event:
    """Return an event of this moment, by this code; `machine` is what `machine` returns."""
    return Event(
        kind=kind,
        time=now(),
        stage=stage,
        step=step,
        git=git_state(),
        versions=versions(),
        machine=machine,
        note=note,
        files=files or {},
    )


def machine(devices: list[str], jit: bool) -> dict[str, Any]:
    """What decides the rounding of a run, besides the versions; `jit`: XLA compiles its steps."""
    facts = hardware(devices)
    return {
        **{key: facts[key] for key in ("cpu", "cores", "gpus")},
        "instructions": instructions(),
        "onednn": onednn(),
        "replicas": len(devices),
        "jit": jit,
    }


def onednn() -> bool:
    """Return whether oneDNN's kernels are on, which round differently from TensorFlow's own."""
    # This module is imported before `quiet.set_environment` is called.
    from cifar_keras.private import uses_onednn

    return uses_onednn()


def instructions(cpuinfo: str | None = None) -> list[str]:
    """Return the processor's own of INSTRUCTIONS, by a /proc/cpuinfo; none where there is none."""
    for line in (_cpuinfo() if cpuinfo is None else cpuinfo).splitlines():
        name, _, value = line.partition(":")
        # x86 says flags, ARM Features.
        if name.strip() in ("flags", "Features"):
            there = set(value.split())
            return [each for each in INSTRUCTIONS if each in there]
    return []


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """The versions of what a run's figures depend on: this package's own and the installed ones."""
    # This package's from its code: what pip noted at an editable install outlasts a change of code.
    found = {"cifar_keras": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any]:
    """The revision of the checkout that this package runs from; nulls outside of one."""
    checkout = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(checkout), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != checkout:
        return {"revision": None, "dirty": None}
    # Reports are outputs: writing one does not make the code another.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
    return {
        "revision": git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
    }


def hardware(devices: list[str]) -> dict[str, Any]:
    """The processor's name, its usable cores, the memory in GiB, and the GPUs in use."""
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

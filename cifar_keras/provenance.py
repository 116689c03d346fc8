"""What a run depends on: code, versions and machine. The data's record comes from `data`."""

import datetime
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cifar_keras import __version__
from cifar_keras.hardware import hardware, instructions
from cifar_keras.records import Event

PACKAGES = ("tensorflow", "keras", "numpy")


def provenance(data: dict[str, Any], devices: list[str]) -> dict[str, Any]:
    """Return the record for run.json: plain data, without paths of this machine."""
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
    """Return an event with the current time and code; `machine` is the result of `machine`."""
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
    """Return what decides the rounding of a run, apart from versions; `jit`: XLA compiles steps."""
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


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions that a run's figures depend on: this package's and the libraries'."""
    # This package's comes from its code, since pip's record of an editable install may be outdated.
    found = {"cifar_keras": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_state() -> dict[str, Any]:
    """Return the revision of the checkout that this package runs from; None outside a checkout."""
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
    # Reports are outputs, so a changed report does not mean changed code.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!reports")
    return {
        "revision": git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
    }

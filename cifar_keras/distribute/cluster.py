"""The machines that train one run together, from `TF_CONFIG` or from the command line."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cifar_keras.errors import DeviceError

VARIABLE = "TF_CONFIG"
_LIKE = "write host1:port,host2:port"


@dataclass(frozen=True)
class Cluster:
    """All workers as host:port, the chief worker first, and the index of this process."""

    workers: tuple[str, ...]
    index: int


def named(workers: str, index: int) -> Cluster:
    """Return the cluster of `--workers` and `--worker-index`.

    Raises:
        DeviceError: they are not host:port addresses and the index of one of them.
    """
    return _checked(workers.split(","), index, "--workers", f"--worker-index {index}")


def from_environment(environment: Mapping[str, str]) -> Cluster | None:
    """Return the cluster of `TF_CONFIG`, as launchers set it; None if unset or a single worker.

    Raises:
        DeviceError: it is empty, does not have the form that TensorFlow documents, or has tasks
            that only other strategies use.
    """
    text = environment.get(VARIABLE)
    if text is None:
        return None
    if not text.strip():
        # TensorFlow parses the variable if it is set, and fails if it is empty.
        raise DeviceError(f"{VARIABLE} is set but empty; unset it, or describe the cluster in it")
    try:
        config = _object(json.loads(text))
        jobs, task = _object(config.get("cluster", {})), _object(config.get("task", {}))
        chiefs, others = _hosts(jobs.get("chief", [])), _hosts(jobs.get("worker", []))
        kind, number = task.get("type", "worker"), _whole(task.get("index", 0))
    # JSON nested a thousand levels deep raises RecursionError.
    except (ValueError, TypeError, RecursionError):
        raise DeviceError(
            f"{VARIABLE} does not have the form that TensorFlow documents "
            '({"cluster": {"worker": ["host1:port", ...]}, "task": {"type": "worker", "index": 0}})'
        ) from None
    unknown = sorted(set(jobs) - {"chief", "worker"})
    if unknown or kind not in ("chief", "worker"):
        raise DeviceError(
            f"{VARIABLE}: {_shown((unknown or [kind])[0])} is not used in synchronous training; "
            "keep only chief and worker"
        )
    if len(chiefs) + len(others) < 2:
        return None
    index = number + (len(chiefs) if kind == "worker" else 0)
    return _checked([*chiefs, *others], index, VARIABLE, f"{VARIABLE}: task {kind} {number}")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _hosts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    # Some launchers write the index as text.
    if type(value) not in (int, str) or abs(number := int(value)) >= 2**31:
        raise TypeError
    return number


def _checked(workers: Sequence[str], index: int, where: str, which: str) -> Cluster:
    for each in workers:
        host, colon, port = each.rpartition(":")
        # Python refuses to convert thousands of digits.
        digits = port.isascii() and port.isdigit() and len(port) <= 5
        one_word = host.isprintable() and len(host.split()) == 1
        if not (colon and one_word and digits and 0 < int(port) < 2**16):
            raise DeviceError(f"{where}: {_shown(each)} is not a host and port; {_LIKE}")
    twice = [each for each, count in Counter(workers).items() if count > 1]
    if twice:
        raise DeviceError(f"{where}: {_shown(min(twice))} is named twice; {_LIKE}")
    if len(workers) < 2:
        raise DeviceError(f"{where}: one worker needs no cluster; leave the option out")
    if not 0 <= index < len(workers):
        raise DeviceError(f"{which}: there are workers 0 to {len(workers) - 1}")
    return Cluster(tuple(workers), index)


def _shown(value: object) -> str:
    """Return the value quoted, on one line and shortened if necessary."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

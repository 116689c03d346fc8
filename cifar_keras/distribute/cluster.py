"""The machines that train one run together, from `TF_CONFIG` or from the command line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cifar_keras.errors import DeviceError

VARIABLE = "TF_CONFIG"
_LIKE = "write host1:port,host2:port"


@dataclass(frozen=True)
class Cluster:
    """All workers as host:port, the chief first, and which of them this process is."""

    workers: tuple[str, ...]
    index: int


def named(workers: str, index: int) -> Cluster:
    """The cluster of `--workers` and `--worker-index`.

    Raises:
        DeviceError: they do not say what they should.
    """
    return _checked(workers.split(","), index, "--workers", f"--worker-index {index}")


def from_environment(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster of `TF_CONFIG`, as launchers set it; None without one, or for a single worker.

    Raises:
        DeviceError: it is not what TensorFlow documents, or has tasks that only other strategies
            know.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, task = config.get("cluster") or {}, config.get("task") or {}
        workers = [*_hosts(jobs.get("chief", [])), *_hosts(jobs.get("worker", []))]
        unknown = sorted(set(jobs) - {"chief", "worker"})
        kind, number = task.get("type", "worker"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError):
        raise DeviceError(
            f"{VARIABLE} is not of the form TensorFlow documents "
            '({"cluster": {"worker": ["host1:port", ...]}, "task": {"type": "worker", "index": 0}})'
        ) from None
    if unknown or kind not in ("chief", "worker"):
        raise DeviceError(
            f"{VARIABLE}: '{(unknown or [kind])[0]}' has no part in synchronous training; "
            "leave chief and worker only"
        )
    if len(workers) < 2:
        return None
    index = number + (len(_hosts(jobs.get("chief", []))) if kind == "worker" else 0)
    return _checked(workers, index, VARIABLE, f"{VARIABLE}: task {kind} {number}")


def _hosts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError
    return value


def _checked(workers: Sequence[str], index: int, where: str, which: str) -> Cluster:
    for each in workers:
        host, colon, port = each.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
            raise DeviceError(f"{where}: '{each}' is no host and port; {_LIKE}")
    twice = {each for each in workers if workers.count(each) > 1}
    if twice:
        raise DeviceError(f"{where}: '{min(twice)}' is named twice; {_LIKE}")
    if len(workers) < 2:
        raise DeviceError(f"{where}: one worker needs no cluster; leave the option out")
    if not 0 <= index < len(workers):
        raise DeviceError(f"{which}: there are workers 0 to {len(workers) - 1}")
    return Cluster(tuple(workers), index)

"""Exact checkpoints: all variables of a run and its position, in one file with a checksum."""

import hashlib
import io
import json
import logging
import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cifar_keras.distribute.running_sums import read_sums, write_sums
from cifar_keras.errors import RunError
from cifar_keras.files import unwritable, write_bytes
from cifar_keras.run.position import Position

_HEAD = b"cifar_keras checkpoint 1\n"
_KEPT = 2
_POSITION = "position"
_RUN = "run"
_NAME = re.compile(r"stage-(\d+)-step-(\d+)\.ckpt", re.ASCII)

Arrays = dict[str, NDArray[Any]]
logger = logging.getLogger("cifar_keras")


@dataclass(frozen=True)
class Snapshot:
    """The state between two steps, in memory; array keys are group, number and name."""

    position: dict[str, Any]
    arrays: Arrays


def take_snapshot(model: keras.Model, position: Position) -> Snapshot:
    """Return the current state; call it between steps.

    Groups are `model` (weights and statistics), `seeds` (of random layers), `optimizer`
    (iterations, learning rate, slots, loss scale) and `metrics` (the running sums of the current
    epoch, per replica if there are several: (replicas, ...)). With several workers all must call
    it.
    """
    variables = _variables(model)
    metrics = {key: variable for key, variable in variables.items() if _is_metric(key)}
    sums = read_sums(model.distribute_strategy, list(metrics.values()))
    arrays = {key: each.numpy() for key, each in variables.items() if key not in metrics}
    return Snapshot(position.to_json(), arrays | dict(zip(metrics, sums, strict=True)))


def restore_arrays(model: keras.Model, arrays: Arrays, groups: Collection[str]) -> None:
    """Assign the arrays of these groups to the model's variables.

    Raises:
        RunError: they do not fit this model.
    """
    variables = {k: v for k, v in _variables(model).items() if k.split(":")[0] in groups}
    known = {k: v for k, v in arrays.items() if k.split(":")[0] in groups}
    # The shapes of metrics depend on the number of replicas.
    shapes = {key: None if _is_metric(key) else array.shape for key, array in known.items()}
    wanted = {k: None if _is_metric(k) else tuple(v.shape) for k, v in variables.items()}
    if shapes != wanted:
        raise RunError("the checkpoint is from another network or optimizer; use --fresh")
    metrics = [key for key in variables if _is_metric(key)]
    write_sums(
        model.distribute_strategy, [variables[k] for k in metrics], [known[k] for k in metrics]
    )
    for key, variable in variables.items():
        if key not in metrics:
            variable.assign(known[key])


def _is_metric(key: str) -> bool:
    return key.startswith("metrics:")


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    seeds = [variable for variable in model.variables if "seed_generator" in variable.name]
    groups = {
        "model": [
            variable for variable in model.variables if "seed_generator" not in variable.name
        ],
        "seeds": seeds,
        "optimizer": model.optimizer.variables,
        "metrics": model.metrics_variables,
    }
    # A path would contain the process-wide count of seed generators, so use the name.
    return {
        f"{group}:{number}:{variable.name}": variable
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }


class Store:
    """The checkpoints of a run folder: the last two, and those that later stages start from.

    Args:
        folder: the folder of the checkpoints.
        starts: the (stage, step) pairs from which later stages start.
        run: plain data that identify the run; each checkpoint contains them.
    """

    def __init__(
        self,
        folder: Path,
        starts: Collection[tuple[int, int]],
        run: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.starts, self.run = folder, frozenset(starts), dict(run or {})

    def path(self, stage: int, step: int) -> Path:
        """Return the file of a state; its name counts stages from 1."""
        return self.folder / f"stage-{stage + 1}-step-{step:09d}.ckpt"

    def paths(self) -> list[Path]:
        """Return all checkpoints, oldest first."""
        named = [(_NAME.fullmatch(path.name), path) for path in self.folder.glob("stage-*.ckpt")]
        places = [((int(name[1]), int(name[2])), path) for name, path in named if name]
        return [path for _, path in sorted(places)]

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint, then remove those older than the last two.

        Raises:
            RunError: it cannot be written; earlier ones are unchanged.
        """
        position = snapshot.position
        kept = replace(snapshot, position=position | {_RUN: self.run})
        write_bytes(self.path(position["stage"], position["step"]), encode(kept))
        starts = {self.path(*start) for start in self.starts}
        for old in self.paths()[:-_KEPT]:
            if old not in starts:
                self._remove(old)

    def newest(self) -> Snapshot | None:
        """Return the newest undamaged checkpoint; None if there are no checkpoints.

        Newer damaged ones are logged and removed, so that they do not count as one of the last two.

        Raises:
            RunError: all checkpoints are damaged, or the newest is from another run.
        """
        damaged: list[Path] = []
        for path in reversed(self.paths()):
            try:
                snapshot = read(path)
            except RunError as error:
                logger.warning("%s; using the one before it", error)
                damaged.append(path)
                continue
            snapshot = self._own(snapshot, path)
            for useless in damaged:
                self._remove(useless)
            return snapshot
        if damaged:
            raise RunError(f"all checkpoints in '{self.folder}' are damaged; use --fresh")
        return None

    def at(self, stage: int, step: int) -> Snapshot:
        """Return the state that a later stage starts from.

        Raises:
            RunError: its checkpoint is missing or damaged, or from another run.
        """
        path = self.path(stage, step)
        return self._own(read(path), path)

    def _own(self, snapshot: Snapshot, path: Path) -> Snapshot:
        position = dict(snapshot.position)
        # Checkpoints of an earlier version do not contain it.
        there = position.pop(_RUN, self.run)
        differing = [key for key in self.run if there.get(key) != self.run[key]]
        if differing:
            raise RunError(
                f"checkpoint '{path}' is from another run, with another {' and '.join(differing)}; "
                "remove it, or use --fresh"
            )
        return replace(snapshot, position=position)

    def clear(self) -> None:
        """Remove all checkpoints; call it when the run's result is on disk."""
        for path in self.paths():
            self._remove(path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _remove(self, path: Path) -> None:
        try:
            path.unlink()
        except OSError as error:
            raise unwritable(path, error) from None


def encode(snapshot: Snapshot) -> bytes:
    """Return the content of a snapshot's file."""
    text = json.dumps(snapshot.position).encode()
    payload = io.BytesIO()
    arrays: Any = {_POSITION: np.frombuffer(text, np.uint8), **snapshot.arrays}
    np.savez(payload, **arrays)
    content = payload.getvalue()
    return _HEAD + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def read(path: Path) -> Snapshot:
    """Return the state in a checkpoint file.

    Raises:
        RunError: it is missing, truncated or modified.
    """
    try:
        raw = path.read_bytes()
    except OSError:
        raise RunError(f"checkpoint '{path}' cannot be read") from None
    return decode(raw, f"checkpoint '{path}'")


def decode(raw: bytes, name: str) -> Snapshot:
    """Return the state that `encode` wrote as these bytes; `name` is for error messages.

    Raises:
        RunError: they are truncated or modified.
    """
    head, digest, content = raw[: len(_HEAD)], raw[len(_HEAD) :][:64], raw[len(_HEAD) + 65 :]
    if head != _HEAD or hashlib.sha256(content).hexdigest().encode() != digest:
        raise RunError(f"{name} is damaged: its checksum does not match")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        position = json.loads(arrays.pop(_POSITION).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise RunError(f"{name} is from another version; use --fresh") from None
    return Snapshot(position, arrays)

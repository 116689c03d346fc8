"""Finished runs, read from their folders: each counted once, the unusable ones named."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifar_keras.errors import RunError
from cifar_keras.runs import (
    RESULT,
    Epoch,
    Result,
    Run,
    find_runs,
    of_the_same_weights,
    read_history,
    read_result,
    read_run,
    read_tta,
)

DASH = "—"

_log = logging.getLogger("cifar_keras")


@dataclass(frozen=True)
class Sample:
    """A finished run; `name` is its folder, relative to the folder of runs that holds it.

    `augmented` is its test accuracy in percent with test-time augmentation, None where `evaluate
    --tta` was not run on these weights.
    """

    name: str
    run: Run
    result: Result
    history: list[Epoch]
    augmented: float | None

    def provenance(self, section: str, key: str) -> Any:
        """A value of the run's provenance, None where it was not recorded."""
        part = self.run.provenance.get(section)
        return part.get(key) if isinstance(part, dict) else None

    @property
    def accuracy(self) -> float:
        """Test accuracy after the last epoch, in percent."""
        return 100 * self.result.test_accuracy

    @property
    def hardware(self) -> str:
        """The GPUs, if any, then processor and cores."""
        gpus, cpu, cores = (self.provenance("hardware", key) for key in ("gpus", "cpu", "cores"))
        parts = [str(gpu) for gpu in gpus] if isinstance(gpus, list) else []
        if cpu:
            parts.append(f"{cpu} ({cores} cores)" if cores else str(cpu))
        return ", ".join(parts) or DASH

    @property
    def revision(self) -> str:
        """The short git revision, with "dirty" where the tree had uncommitted changes."""
        revision = self.provenance("git", "revision")
        if not revision:
            return DASH
        short = str(revision)[:8]
        return f"{short} dirty" if self.provenance("git", "dirty") else short

    @property
    def data_copy(self) -> str:
        """Whether the data were the published files."""
        if self.run.recipe.synthetic or self.provenance("data", "synthetic"):
            return "synthetic"
        official = self.provenance("data", "official")
        if official is None:
            return DASH
        if official:
            return "official"
        same = self.provenance("data", "content_official")
        return "unofficial copy, contents official" if same else "unofficial copy"


@dataclass(frozen=True)
class LeftOut:
    """A run folder that does not count, and why."""

    name: str
    reason: str


def read_samples(roots: Sequence[Path]) -> tuple[list[Sample], list[LeftOut]]:
    """The finished runs below `roots`, and the folders left out.

    A run without result.json is unfinished and ignored. A damaged folder is left out with one line
    of warning. A seed is one sample: of two runs alike in recipe, budget, overrides, precision
    and seed the one started later counts (`started` is ISO 8601 in UTC, so that text compares as
    time). If they started together they are copies of one run, and the one of the later root is
    taken: with reports/runs last, the committed evidence gives the same report with and without its
    originals.
    """
    kept: dict[tuple[object, ...], Sample] = {}
    left_out: list[LeftOut] = []
    for root in roots:
        for folder in find_runs([root]):
            found = _read(folder, folder.relative_to(root).as_posix())
            if isinstance(found, LeftOut):
                left_out.append(found)
            elif found:
                run = found.run
                what = (run.name, run.recipe_sha256, run.budget, *sorted(run.overrides))
                key = (*what, run.precision, run.seed)
                older, kept[key] = sorted([kept.get(key, found), found], key=_started)
                if _started(older) != _started(kept[key]):
                    reason = f"started {_started(older)}; the same seed was run again later"
                    left_out.append(LeftOut(older.name, reason))
    return list(kept.values()), left_out


def _started(sample: Sample) -> str:
    return sample.run.started


def _read(folder: Path, name: str) -> Sample | LeftOut | None:
    if not (folder / RESULT).is_file():
        return None
    try:
        history = read_history(folder)
        if not history:
            raise RunError(f"'{folder}' is damaged: its history has no rows")
        result, tta = read_result(folder), read_tta(folder)
        # Views of other weights are no figure of this run.
        known = tta is not None and of_the_same_weights(tta, result)
        augmented = 100 * tta.test_accuracy if tta and known else None
        return Sample(name, read_run(folder), result, history, augmented)
    except RunError as error:
        reason = " ".join(str(error).split()).replace(str(folder), name)
        _log.warning("run folder '%s' is left out of the report: %s", folder, reason)
        return LeftOut(name, reason)

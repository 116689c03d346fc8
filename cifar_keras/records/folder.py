"""The files of a run folder: their names, and how they are read and written."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cifar_keras.errors import RunError, in_one_line
from cifar_keras.files import sha256_of, write_bytes
from cifar_keras.recipe import Precision, Recipe, flat
from cifar_keras.records.schema import (
    Epoch,
    Event,
    HalfWeights,
    Preprocessing,
    Record,
    Result,
    Run,
    Tta,
)

RUN = "run.json"
HISTORY = "history.csv"
RESULT = "result.json"
PREPROCESSING = "preprocessing.json"
TTA = "tta.json"
WEIGHTS = "final.weights.h5"
# Smaller weights to publish, and their record. Keras requires the ending .weights.h5.
HALF_WEIGHTS = "float16.weights.h5"
HALF = "float16.json"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
MLFLOW = "mlflow.json"
LOCK = ".lock"
# Part of the name of a folder that --fresh renamed.
ASIDE = ".old-"


def run_name(
    recipe_name: str,
    seed: int,
    budget: str,
    overrides: Sequence[str],
    precision: Precision = "float32",
) -> Path:
    """Return the folder of a run, relative to the folder of run folders.

    The name contains any precision other than float32, and the budget and a hash of the overrides
    of a scaled or modified run, so that each has a folder of its own.
    """
    name = f"seed-{seed}"
    if precision != "float32":
        name += f"-{precision}"
    if budget != "1":
        name += f"-budget-{budget}"
    if overrides:
        text = json.dumps(sorted(overrides))
        name += f"-set-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return Path(recipe_name) / name


def check_same(
    folder: Path, recipe: Recipe, seed: int, budget: str, data: dict[str, Any] | None = None
) -> None:
    """Raise an error if the folder holds a run that differs from the one described.

    `data` is the record of the data set; None if it is not known.

    Raises:
        RunError: it holds another run; the message names the differing keys.
    """
    if not (folder / RUN).exists():
        return
    run = read_run(folder)
    there = {**flat(run.recipe.settings()), "seed": run.seed, "budget": run.budget}
    here = {**flat(recipe.settings()), "seed": seed, "budget": budget}
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    differing = [f"{key} is {there.get(key)} there, {here.get(key)} here" for key in keys]
    stated = run.provenance.get("data", {}).get("content_sha256")
    if data and stated != data["content_sha256"]:
        differing.append("the data's content")
    if differing:
        raise RunError(
            f"'{folder}' holds another run: {'; '.join(differing)}; "
            "use --fresh to start over, or another --run-dir"
        )


def write_record(folder: Path, name: str, record: Record) -> None:
    """Write one of the folder's JSON files."""
    text = json.dumps(record.model_dump(mode="json"), indent=1) + "\n"
    write_bytes(folder / name, text.encode())


def write_preprocessing(folder: Path, record: Preprocessing) -> None:
    """Write preprocessing.json, one line per key, as a mean image has thousands of numbers."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    write_bytes(folder / PREPROCESSING, text.encode())


def write_history(folder: Path, rows: Sequence[Epoch]) -> None:
    """Write history.csv: a header and one row per epoch, without columns that are always None."""
    trees = [row.model_dump() for row in rows]
    optional = {name for name, field in Epoch.model_fields.items() if not field.is_required()}
    absent = optional.difference(*trees)
    names = [name for name in Epoch.model_fields if name not in absent]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for tree in trees:
        writer.writerow({k: "" if v is None else f"{v:.9g}" for k, v in tree.items()})
    write_bytes(folder / HISTORY, text.getvalue().encode())


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"'{folder}' has no {name}: not a run folder, or unfinished; see 'cifar-keras runs'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read '{folder / name}': {error}") from None


def _read_record(folder: Path, name: str, kind: type[Record]) -> Any:
    try:
        return kind.model_validate_json(_read(folder, name))
    except ValidationError as error:
        raise RunError(f"'{folder / name}' is damaged: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = in_one_line(".".join(str(part) for part in first["loc"]))[:100]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        message += f". Received: {first['input'][:100]!r}"
    return f"{place}: {message}" if place else message


def read_run(folder: Path) -> Run:
    """Return the folder's run.json."""
    run: Run = _read_record(folder, RUN, Run)
    return run


def read_result(folder: Path) -> Result:
    """Return the folder's result.json."""
    result: Result = _read_record(folder, RESULT, Result)
    return result


def read_preprocessing(folder: Path) -> Preprocessing | None:
    """Return the folder's preprocessing.json; None if an earlier version wrote none."""
    if not (folder / PREPROCESSING).exists():
        return None
    preprocessing: Preprocessing = _read_record(folder, PREPROCESSING, Preprocessing)
    return preprocessing


def read_tta(folder: Path) -> Tta | None:
    """Return the folder's tta.json; None if there is none."""
    if not (folder / TTA).exists():
        return None
    tta: Tta = _read_record(folder, TTA, Tta)
    return tta


def add_event(folder: Path, event: Event) -> None:
    """Add an event to the folder's run.json."""
    run = read_run(folder)
    write_record(folder, RUN, run.model_copy(update={"events": [*run.events, event]}))


def read_half(folder: Path) -> HalfWeights | None:
    """Return the folder's float16.json; None if there are no such weights."""
    if not (folder / HALF_WEIGHTS).exists():
        return None
    half: HalfWeights = _read_record(folder, HALF, HalfWeights)
    return half


def weights_file(folder: Path) -> Path:
    """Return the file of the final weights or, if it is missing, that with float16 kernels.

    Raises:
        RunError: the folder has neither.
    """
    for name in (WEIGHTS, HALF_WEIGHTS):
        if (folder / name).is_file():
            return folder / name
    raise RunError(f"'{folder}' has no {WEIGHTS}: finish the run with `cifar-keras train`")


def of_the_same_weights(tta: Tta, result: Result) -> bool:
    """Return whether both were measured with the same weights."""
    return tta.weights_sha256 == result.weights_sha256


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each of the run's final files."""
    names = [HISTORY, RESULT, WEIGHTS]
    if (folder / PREPROCESSING).exists():
        names.append(PREPROCESSING)
    return {name: sha256_of(folder / name) for name in names}


def read_history(folder: Path) -> list[Epoch]:
    """Return the rows of the folder's history.csv."""
    try:
        lines = list(csv.DictReader(io.StringIO(_read(folder, HISTORY))))
    except csv.Error as error:
        raise RunError(f"'{folder / HISTORY}' is damaged: {error}") from None
    rows = []
    for number, cells in enumerate(lines, start=2):
        try:
            given = {str(key): value or None for key, value in cells.items()}
            rows.append(Epoch.model_validate(given))
        except ValidationError as error:
            place = f"'{folder / HISTORY}' is damaged at line {number}"
            raise RunError(f"{place}: {_first(error)}") from None
    return rows


def find_runs(roots: Sequence[Path]) -> list[Path]:
    """Return the run folders below `roots`, sorted, without those that --fresh renamed."""
    found = {path.parent for root in roots for path in root.glob(f"*/*/{RUN}")}
    return sorted(folder for folder in found if ASIDE not in folder.name)

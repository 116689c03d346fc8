"""The evidence of finished runs, for a repository: `reports/runs` and what may lie there."""

from collections.abc import Iterable
from pathlib import Path

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.files import write_bytes

# What a repository carries without harm, in bytes.
LARGEST = 24 * 2**20
LARGEST_IN_ALL = 64 * 2**20
_EVIDENCE = (records.RUN, records.PREPROCESSING, records.HISTORY, records.RESULT, records.TTA)


def destination(folder: Path, run: records.Run, output: Path) -> Path:
    """Return the folder that a run is published in.

    Raises:
        RunError: the run is not finished, or another one is there.
    """
    result = records.read_result(folder)
    name = records.run_name(run.name, run.seed, run.budget, run.overrides, run.precision)
    place = output / name
    if (place / records.RUN).exists():
        there = records.read_run(place)
        if (there.started, there.recipe_sha256) != (run.started, run.recipe_sha256):
            raise RunError(
                f"'{place}' holds another run, started {there.started}; remove it first, or name "
                "another place with --output"
            )
    tta = records.read_tta(folder)
    if tta and not records.of_the_same_weights(tta, result):
        raise RunError(
            f"'{folder / records.TTA}' is of other weights; run 'cifar-keras evaluate {folder} "
            "--tta' again"
        )
    return place


def copy_evidence(folder: Path, place: Path) -> list[Path]:
    """Copy the records of a finished run; return the files there.

    Raises:
        RunError: the place cannot be written.
    """
    copies = {place / name: folder / name for name in _EVIDENCE if (folder / name).exists()}
    for copy, original in copies.items():
        if copy.resolve() != original.resolve():
            write_bytes(copy, original.read_bytes())
    return list(copies)


def check_sizes(weights: Path, place: Path, output: Path) -> None:
    """Raise unless these weights may be published, next to all that are in `output`.

    Raises:
        RunError: the file is too large, or all are together.
    """
    size = weights.stat().st_size
    if size > LARGEST:
        raise RunError(
            f"the weights of '{place}' have {_mib(size)} MiB; at most {_mib(LARGEST)} are "
            "published: leave out --weights"
        )
    others = (path for path in output.rglob("*.h5") if path != place / records.HALF_WEIGHTS)
    total = size + _sum(others)
    if total > LARGEST_IN_ALL:
        raise RunError(
            f"all weights in '{output}' would have {_mib(total)} MiB; at most "
            f"{_mib(LARGEST_IN_ALL)} are published: leave out --weights, or remove others"
        )


def put_weights(weights: Path, half: records.HalfWeights, place: Path) -> list[Path]:
    """Copy the weights to their place, with their figures next to them; return both files.

    Raises:
        RunError: the place cannot be written.
    """
    write_bytes(place / records.HALF_WEIGHTS, weights.read_bytes())
    records.write_record(place, records.HALF, half)
    return [place / records.HALF_WEIGHTS, place / records.HALF]


def _sum(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _mib(size: int) -> str:
    return f"{size / 2**20:.4g}"

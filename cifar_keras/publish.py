"""Copy the records of finished runs into `reports/runs`, within its size limits."""

from collections.abc import Iterable
from pathlib import Path

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.files import write_bytes

# In bytes; larger files do not belong in a repository.
LARGEST = 24 * 2**20
LARGEST_IN_ALL = 64 * 2**20
_EVIDENCE = (records.RUN, records.PREPROCESSING, records.HISTORY, records.RESULT, records.TTA)


def destination(folder: Path, run: records.Run, output: Path) -> Path:
    """Return the folder to publish a run in.

    Raises:
        RunError: the run is not finished, or another run is there.
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
            f"'{folder / records.TTA}' was measured with other weights; run 'cifar-keras evaluate "
            f"{folder} --tta' again"
        )
    return place


def copy_evidence(folder: Path, place: Path) -> list[Path]:
    """Copy the records of a finished run; return the copies.

    Raises:
        RunError: the folder cannot be written.
    """
    copies = {place / name: folder / name for name in _EVIDENCE if (folder / name).exists()}
    for copy, original in copies.items():
        if copy.resolve() != original.resolve():
            write_bytes(copy, original.read_bytes())
    return list(copies)


def check_sizes(weights: Path, place: Path, output: Path) -> None:
    """Raise an error if these weights, or all weights in `output` together, are too large.

    Raises:
        RunError: the file, or the total, is over its limit.
    """
    size = weights.stat().st_size
    if size > LARGEST:
        raise RunError(
            f"the weights of '{place}' have {_mib(size)} MiB; the limit is {_mib(LARGEST)} MiB: "
            "leave out --weights"
        )
    others = (path for path in output.rglob("*.h5") if path != place / records.HALF_WEIGHTS)
    total = size + _sum(others)
    if total > LARGEST_IN_ALL:
        raise RunError(
            f"all weights in '{output}' would have {_mib(total)} MiB; the limit is "
            f"{_mib(LARGEST_IN_ALL)} MiB: leave out --weights, or remove others"
        )


def put_weights(weights: Path, half: records.HalfWeights, place: Path) -> list[Path]:
    """Write the weights and the record of their figures; return both files.

    Raises:
        RunError: the folder cannot be written.
    """
    write_bytes(place / records.HALF_WEIGHTS, weights.read_bytes())
    records.write_record(place, records.HALF, half)
    return [place / records.HALF_WEIGHTS, place / records.HALF]


def _sum(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _mib(size: int) -> str:
    return f"{size / 2**20:.4g}"

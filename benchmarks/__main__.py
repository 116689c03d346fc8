"""Measure our speed and the peers' in turns, and write reports/benchmarks.{json,md,svg,png}.

    python -m benchmarks [--families resnet20,...] [--contenders ours,'torch*'] [--repeats 7] ...

A part that is measured again replaces all its figures in the JSON. The other parts stay.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from benchmarks import chart, results, table
from benchmarks.families import FAMILIES
from benchmarks.measures import Bench, first_step, growth, start_up, training
from benchmarks.results import Results
from cifar_keras.files import write_bytes

MEASURES: dict[str, Callable[[Bench], Results]] = {
    "start-up": start_up,
    "first-step": first_step,
    "growth": growth,
}


def main() -> None:
    """Measure the requested parts one after another, and write the report after each."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    if options.table:
        write(options.output, {})
        return
    names = options.measures or (["training"] if options.families else ["training", *MEASURES])
    parts: list[Callable[[Bench], Results]] = []
    for name in names:
        if name == "training":
            families = options.families or list(FAMILIES)
            parts += [partial(training, family=FAMILIES[each]) for each in families]
        else:
            parts.append(MEASURES[name])
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options.repeats, options.contenders, options.data_dir, Path(scratch))
        for part in parts:
            write(options.output, part(bench))
    print(options.output / "benchmarks.md")


def write(folder: Path, new: Results) -> None:
    """Merge the new results into those in the folder, and write the tables and charts."""
    path = folder / "benchmarks.json"
    both = results.merged(results.read(path), new)
    if new:
        results.write(path, both)
    write_bytes(folder / "benchmarks.md", table.page(both).encode())
    for name, content in chart.pictures(both).items():
        write_bytes(folder / name, content)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0]
    )
    add = partial(parser.add_argument, type=_list, metavar="A,B")
    add("--families", help=f"from {', '.join(FAMILIES)} (default: all)")
    add("--contenders", help="names or patterns, '*' for all (default: all except extra ones)")
    add(
        "--measures",
        help=f"from training, {', '.join(MEASURES)} (default: all; with --families: training)",
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=Path("reports"))
    parser.add_argument("--table", action="store_true", help="only write the report again")
    options = parser.parse_args()
    for given, known in (
        (options.families, [*FAMILIES]),
        (options.measures, ["training", *MEASURES]),
    ):
        for name in given or ():
            if name not in known:
                parser.error(f"unknown name '{name}'; use one of {', '.join(known)}")
    return options


def _list(text: str) -> list[str]:
    return text.split(",")


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

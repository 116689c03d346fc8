"""Measure, print a table, and write it to reports/benchmarks.md."""

import argparse
from pathlib import Path

from benchmarks.measures import Figure, checkpoint_cost, pipeline, start_up, training
from cifar_keras.data import DATASETS, load
from cifar_keras.files import write_bytes
from cifar_keras.provenance import hardware, versions
from cifar_keras.quiet import import_tensorflow

REPEATS = 7


def main() -> None:
    """Run every measure; what alternates within one measure can be compared, and nothing else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="cifar10", choices=DATASETS)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks.md"))
    options = parser.parse_args()

    figures = start_up(REPEATS)
    dataset = load(options.dataset, options.data_dir)
    import_tensorflow()
    figures += pipeline(dataset, REPEATS)
    trained = training(dataset, REPEATS)
    figures += trained
    figures += checkpoint_cost(dataset, REPEATS, trained[0].median)
    text = _table(figures, options.dataset)
    print(text)
    write_bytes(options.output, text.encode())


def _table(figures: list[Figure], dataset: str) -> str:
    machine, packages = hardware([]), versions()
    lines = [
        "# Speed",
        "",
        f"Written by `make bench`: medians over {REPEATS} repeats, alternating where two are "
        "compared, with the",
        f"smallest and the largest. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; TensorFlow {packages['tensorflow']}, "
        f"Keras {packages['keras']}; data: {dataset}.",
        "",
        "| what | median | smallest to largest | unit |",
        "| --- | ---: | ---: | --- |",
    ]
    lines += [
        f"| {f.name} | {f.median:,.4g} | {f.low:,.4g} to {f.high:,.4g} | {f.unit} |"
        for f in figures
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()

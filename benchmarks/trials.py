"""Train the first steps of every recipe on real data: does it learn, how fast, with what memory.

    python -m benchmarks.trials [RECIPE ...]

Each recipe runs in its own process and writes its figures to reports/trials/, so that an
interrupted series can continue. The table of all recipes goes to reports/trials.md.
"""

import argparse
import csv
import json
import math
import resource
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

from cifar_keras.data import Split, load
from cifar_keras.files import write_bytes
from cifar_keras.hardware import hardware
from cifar_keras.listing import duration
from cifar_keras.provenance import onednn, versions
from cifar_keras.quiet import import_tensorflow
from cifar_keras.recipe import Recipe, load_recipe, recipe_names, recipe_path
from cifar_keras.records import HISTORY, read_history

FEW, MANY = 20, 100
# Number of test images.
TESTED = 1000
# The first steps compile.
WARM_UP = 3
FOLDER = Path("reports/trials")
PUBLISHED = Path("reports/published")
SYSTEM_A = Path("reports/runs/inception_rrelu/seed-1")


def main() -> None:
    """Try the given recipes, or all that have no figures yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--one", metavar="RECIPE", help=argparse.SUPPRESS)
    parser.add_argument(
        "--patience",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help=f"take {MANY} steps if they fit into this time, else {FEW} (default: 300)",
    )
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=Path("reports/trials.md"))
    parser.add_argument("--table", action="store_true", help="try nothing, write the table again")
    options = parser.parse_args()
    if options.one:
        figures = trial(load_recipe(recipe_path(options.one)), options.data_dir, options.patience)
        write_bytes(_file(options.one), (json.dumps(figures, indent=1) + "\n").encode())
        return
    shipped = [n for n in recipe_names() if not load_recipe(recipe_path(n)).synthetic]
    untried = [] if options.table else [n for n in shipped if not _file(n).exists()]
    for name in options.recipes or untried:
        command = [sys.executable, "-m", "benchmarks.trials", "--one", name]
        command += ["--patience", str(options.patience)]
        if options.data_dir:
            command += ["--data-dir", str(options.data_dir)]
        print(name, flush=True)
        subprocess.run(command, check=True)
    write_bytes(options.output, _table([n for n in shipped if _file(n).exists()]).encode())
    print(options.output)


def _file(name: str) -> Path:
    return FOLDER / f"{name}.json"


class Enough(Exception):
    """Raised after enough steps."""


def trial(recipe: Recipe, data_dir: Path | None, patience: float) -> dict[str, Any]:
    """Return the figures of a recipe's first steps, `MANY` if they fit into `patience` seconds."""
    dataset = load(recipe.dataset, data_dir)
    import_tensorflow()
    import keras

    from cifar_keras.distribute.devices import make_strategy
    from cifar_keras.experiment import Experiment
    from cifar_keras.experiment.stages import Leg

    random = recipe.model_copy(update={"initial_weights": "none"})
    few = replace(dataset, test=Split(dataset.test.images[:TESTED], dataset.test.labels[:TESTED]))
    experiment = Experiment(random, few, 1, make_strategy("cpu"))
    experiment.initialize()
    means: list[float] = []
    times: list[float] = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            means.append(logs["loss"])
            times.append(time.perf_counter())
            # The first step compiles.
            late = (times[-1] - times[0]) / max(1, len(means) - 1) * MANY > patience
            if (late and len(means) >= FEW) or len(means) == MANY:
                raise Enough

    plan = experiment.plan
    leg = Leg(plan.stages[0], 0, plan.stages[0].steps, 0, 1)
    with suppress(Enough):
        experiment.fit(leg, [Losses()])
    # Keras logs the mean of the losses so far.
    sums = [count * mean for count, mean in enumerate(means, start=1)]
    losses = [after - before for before, after in pairwise([0.0, *sums])]
    step = median(b - a for a, b in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False))
    experiment.evaluate(steps=1)
    begin = time.perf_counter()
    experiment.evaluate()
    test = (time.perf_counter() - begin) * len(dataset.test.labels) / TESTED
    training = step / plan.work(1) * plan.work(plan.steps)
    epochs = math.ceil(recipe.epochs)
    quarter = len(means) // 4
    return {
        "steps": len(means),
        "first_quarter_loss": fmean(losses[:quarter]),
        "last_quarter_loss": fmean(losses[-quarter:]),
        "batch_size": recipe.data.batch_size,
        "seconds_per_step": step,
        "images_per_second": recipe.data.batch_size / step,
        "seconds_per_test": test,
        "seconds_per_run": training + epochs * test,
        "seconds_per_epoch": training / float(recipe.epochs),
        "epochs": float(recipe.epochs),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10,
        "hardware": hardware([]),
        "onednn": onednn(),
        "versions": versions(),
        "pretrained_left_out": recipe.initial_weights != "none",
    }


def _table(names: list[str]) -> str:
    trials = {name: json.loads(_file(name).read_text()) for name in names}
    machines = {
        f"{t['hardware']['cpu']}, {t['hardware']['cores']} cores, {t['hardware']['memory_gib']} GiB"
        for t in trials.values()
    }
    packages = {
        f"TensorFlow {t['versions']['tensorflow']}, Keras {t['versions']['keras']}"
        for t in trials.values()
    }
    lines = [
        "# The first steps of every recipe",
        "",
        f"Written by `make trials` on {'; '.join(sorted(machines))};",
        f"{'; '.join(sorted(packages))}.",
        "Each recipe takes a few steps on real CIFAR at its own learning rate. **Loss** is the "
        "mean over the batches",
        "of the first and of the last quarter of these steps, in training mode. The estimate for a "
        "full run includes an",
        "evaluation after each epoch. Other jobs may have been running on the machine, so speeds "
        "are lower bounds.",
        "**Version** is that of this package. `*`: random weights instead of the published ones. "
        "The systems' pages have",
        "the time and memory that the originals report.",
        "",
        "| recipe | version | steps | loss, first and last quarter | images/s | s/epoch | full "
        "run, about | peak memory, MiB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, t in trials.items():
        star = "*" if t["pretrained_left_out"] else ""
        lines.append(
            f"| `{name}`{star} | {t['versions']['cifar_keras']} | {t['steps']} | "
            f"{t['first_quarter_loss']:.4f}, {t['last_quarter_loss']:.4f} | "
            f"{t['images_per_second']:.4g} | {t['seconds_per_epoch']:,.0f} | "
            f"{duration(t['seconds_per_run'])} | {t['peak_memory_mib']:,} |"
        )
    return "\n".join([*lines, "", *_first_epochs()])


def _first_epochs() -> list[str]:
    """Return the table of the epochs of system A trained so far, next to the original's log."""
    if not (SYSTEM_A / HISTORY).exists():
        return []
    published = {
        int(row["epoch"]): row
        for row in csv.DictReader((PUBLISHED / "cifar100_inception_rrelu.csv").open())
        if row["stage"] == "1"
    }
    lines = [
        "# The first epochs of sub-Inception + RReLU (system A) next to the original's log",
        "",
        f"`inception_rrelu`, seed 1, from `{SYSTEM_A}`. Accuracy in percent; training accuracy "
        "is the mean over the epoch, in training mode.",
        "",
        "| epoch | train, ours | train, original | test, ours | test, original |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for epoch, row in enumerate(read_history(SYSTEM_A)):
        theirs = [f"{100 * float(published[epoch][key]):.2f}" for key in ("train_acc", "val_acc")]
        ours = [f"{100 * each:.2f}" for each in (row.accuracy, row.test_accuracy or math.nan)]
        lines.append(f"| {epoch} | {ours[0]} | {theirs[0]} | {ours[1]} | {theirs[1]} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()

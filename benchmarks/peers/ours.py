"""Ours: the `Experiment` that `cifar-keras train` trains.

python -m benchmarks.peers.ours RECIPE [--data-dir DIR] [--set KEY=VALUE ...]
"""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.families import FAMILIES
from benchmarks.peers.service import NEVER, Case, serve, timed
from cifar_keras.data import Dataset, load
from cifar_keras.provenance import onednn, versions
from cifar_keras.quiet import import_tensorflow
from cifar_keras.recipe import load_recipe, recipe_path


def main() -> None:
    """Serve one recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    serve(lambda: _made(options))


def _made(options: argparse.Namespace) -> tuple[Mapping[str, Case], dict[str, Any]]:
    recipe = load_recipe(recipe_path(options.recipe), options.set)
    dataset = load(recipe.dataset, options.data_dir)
    import_tensorflow()
    ours = Ours(recipe, dataset)
    family = FAMILIES.get(options.recipe)
    sizes = family.sizes if family and recipe.data.sizes else [recipe.data.crop]
    cases: dict[str, Case] = {}
    for size in sizes:
        cases[family.case(size) if family else "train"] = ours.training(size)
    cases |= {
        "evaluate": timed(ours.evaluate),
        "pipeline": timed(ours.batches_alone),
        "checkpoint": ours.checkpoints,
    }
    return cases, {"versions": versions(), "onednn": onednn()}


class Ours:
    """A recipe's experiment in parts that can be timed, without published initial weights."""

    def __init__(self, recipe: Any, dataset: Dataset, devices: str = "auto") -> None:
        from cifar_keras.distribute.devices import make_strategy
        from cifar_keras.experiment import Experiment

        recipe = recipe.model_copy(update={"initial_weights": "none"})
        self.experiment = Experiment(recipe, dataset, 1, make_strategy(devices))
        self.experiment.initialize()
        self.alone: Iterator[Any] = iter(self.experiment.batches.dataset(0, NEVER))

    def training(self, size: int) -> Case:
        """Return the case of training at this image size."""
        from benchmarks.peers.steady import Steady
        from cifar_keras.experiment.stages import Leg, Place

        first = self.experiment.plan.stages[0]
        sizes = ((NEVER, size),) if first.sizes else ()
        leg = Leg(replace(first, steps=NEVER, sizes=sizes), 0, NEVER, 0, 1)

        def fit(steady: Steady) -> None:
            self.experiment.place = Place()
            self.experiment.fit(leg, [steady])

        return Steady(fit)

    def evaluate(self, steps: int) -> None:
        """Evaluate batches of test images, as after an epoch."""
        self.experiment.evaluate(steps=steps)

    def batches_alone(self, steps: int) -> None:
        """Prepare batches without using them."""
        deque(islice(self.alone, steps), maxlen=0)

    def checkpoints(self, count: int) -> tuple[float, int]:
        """Take checkpoints and flush them to disk."""
        from cifar_keras.run.checkpoint import Store, take_snapshot
        from cifar_keras.run.position import Position

        with tempfile.TemporaryDirectory(dir=".") as folder:
            store = Store(Path(folder), [])
            begin = time.perf_counter()
            for step in range(count):
                store.save(take_snapshot(self.experiment.model, Position(step=step)))
            return time.perf_counter() - begin, count


if __name__ == "__main__":
    main()

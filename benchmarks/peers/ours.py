"""Ours, through all that `cifar-keras train` really uses.

python -m benchmarks.peers.ours RECIPE [--data-dir DIR] [--set KEY=VALUE ...]
"""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.families import EVALUATED_AT_ONCE, FAMILIES
from benchmarks.peers.service import NEVER, Case, serve, timed
from cifar_keras.data import Dataset, load
from cifar_keras.provenance import onednn, versions
from cifar_keras.quiet import import_tensorflow
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.schedules import steps_per_epoch


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
    """A run of a recipe, as `training.train` puts it together, in parts that can be timed."""

    def __init__(self, recipe: Any, dataset: Dataset, devices: str = "auto") -> None:
        from cifar_keras.data.normalise import normalization
        from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
        from cifar_keras.training.compiled import compiled_model
        from cifar_keras.training.devices import feed, make_strategy, parted
        from cifar_keras.training.initial import adapt
        from cifar_keras.training.plan import plan
        from cifar_keras.training.step_callbacks import lookahead_steps

        per_epoch = steps_per_epoch(recipe.data, len(dataset.train.labels))
        self.recipe, self.stages = recipe, plan(recipe, per_epoch, "1")
        self.strategy = make_strategy(devices)
        self.model = compiled_model(recipe, 1, self.strategy, per_epoch)
        self.lookahead = lookahead_steps(recipe, self.model, self.strategy)
        self.norm = norm = normalization(recipe.data, dataset.train.images)
        train, test = dataset.train, dataset.test
        self.batches = TrainingBatches(train.images, train.labels, recipe.data, norm, seed=1)
        adapt(self.model, self.batches)
        tests = evaluation_batches(test.images, test.labels, recipe.data, norm, EVALUATED_AT_ONCE)
        self.tests = feed(self.strategy, parted(tests))
        self.alone: Iterator[Any] = iter(self.batches.dataset(0, NEVER))

    def _callbacks(self, size: int) -> list[Any]:
        """The callbacks that act at a step, for images of a size, and what looks at its loss.

        That one saves nothing, as its epoch has no end.
        """
        from cifar_keras.training.callbacks import Checkpointer
        from cifar_keras.training.checkpoint import Store
        from cifar_keras.training.position import Position
        from cifar_keras.training.signals import Signals
        from cifar_keras.training.step_callbacks import step_callbacks
        from cifar_keras.training.team import team_of

        position, stage = Position(), self.stages[0]
        stage = replace(stage, size=(lambda _: size) if stage.size else None)
        store, team = Store(Path("nowhere"), []), team_of(self.strategy)
        looks = Checkpointer(position, store, team, Signals(), None, None)
        return [*step_callbacks(self.recipe, stage, position, NEVER, self.lookahead), looks]

    def training(self, size: int) -> Case:
        """Steps on images of this size."""
        from benchmarks.peers.steady import Steady
        from cifar_keras.training.devices import feed

        def fit(steady: Steady) -> None:
            self.model.fit(
                feed(self.strategy, partial(self.batches.dataset, 0, NEVER)),
                steps_per_epoch=NEVER,
                callbacks=[*self._callbacks(size), steady],
                shuffle=False,
                verbose=0,
            )

        return Steady(fit)

    def evaluate(self, steps: int) -> None:
        """So many batches of test images, as after an epoch."""
        self.model.evaluate(self.tests, steps=steps, verbose=0)

    def batches_alone(self, steps: int) -> None:
        """So many batches with nothing to consume them."""
        deque(islice(self.alone, steps), maxlen=0)

    def checkpoints(self, count: int) -> tuple[float, int]:
        """So many checkpoints, taken and flushed to disk."""
        from cifar_keras.training.checkpoint import Store, take
        from cifar_keras.training.position import Position

        with tempfile.TemporaryDirectory(dir=".") as folder:
            store = Store(Path(folder), [])
            begin = time.perf_counter()
            for step in range(count):
                store.save(take(self.model, Position(step=step)))
            return time.perf_counter() - begin, count


if __name__ == "__main__":
    main()

"""What is measured, each a function from the number of repeats to figures."""

import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from cifar_keras.data import Dataset
from cifar_keras.recipe import Recipe, load_recipe, recipe_path

STEPS = 40


@dataclass(frozen=True)
class Figure:
    """A median with its range."""

    name: str
    median: float
    low: float
    high: float
    unit: str


def figure(name: str, values: list[float], unit: str) -> Figure:
    """The figure of repeated measurements."""
    return Figure(name, median(values), min(values), max(values), unit)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def start_up(repeats: int) -> list[Figure]:
    """How long the commands that need no TensorFlow take to answer."""
    figures = []
    for arguments in (["--help"], ["recipes"]):
        command = [sys.executable, "-m", "cifar_keras", *arguments]

        answer = partial(subprocess.run, command, check=True, capture_output=True)
        answer()
        times = [seconds(answer) for _ in range(repeats)]
        figures.append(figure(f"`cifar-keras {arguments[0]}`", times, "s"))
    return figures


def pipeline(dataset: Dataset, repeats: int) -> list[Figure]:
    """Batches of 128, padded, cropped and flipped, with nothing to consume them."""
    batches = _batches(dataset)
    rates = []
    for repeat in range(repeats + 1):
        source = batches.dataset(repeat * 400, (repeat + 1) * 400)
        taken = seconds(partial(deque, source, maxlen=0))
        rates.append(400 * batches.data.batch_size / taken)
    return [figure("input pipeline alone: pad, crop, flip, batch 128", rates[1:], "images/s")]


def training(dataset: Dataset, repeats: int) -> list[Figure]:
    """ResNet-20 trained from the pipeline, and from one ready-made batch shown again and again."""
    import tensorflow as tf

    from cifar_keras.training.devices import feed, make_strategy

    strategy = make_strategy("cpu")
    model, batches = _model(strategy), _batches(dataset)
    images, labels = batches.batch(tf.constant(0, tf.int64))
    ready = tf.data.Dataset.from_tensors((images, labels)).repeat()
    options = tf.data.Options()
    options.autotune.enabled = False
    sources = {
        "from the pipeline": lambda: batches.dataset(0, 10**6),
        "from a ready-made batch": lambda: ready.with_options(options),
    }
    rates: dict[str, list[float]] = {name: [] for name in sources}

    def fit(source: tf.data.Dataset) -> None:
        model.fit(feed(strategy, source), steps_per_epoch=STEPS, verbose=0, shuffle=False)

    for source in sources.values():
        fit(source())
    for _ in range(repeats):
        for name, source in sources.items():
            taken = seconds(partial(fit, source()))
            rates[name].append(STEPS * batches.data.batch_size / taken)
    shares = [100 * a / b for a, b in zip(*rates.values(), strict=True)]
    figures = [figure(f"`resnet20` training {name}", rates[name], "images/s") for name in sources]
    return [*figures, figure("the first as a share of the second", shares, "%")]


def checkpoint_cost(dataset: Dataset, repeats: int, rate: float) -> list[Figure]:
    """A checkpoint of ResNet-20, taken and flushed to disk, and its share of an epoch."""
    from cifar_keras.training.checkpoint import Store, take
    from cifar_keras.training.devices import make_strategy
    from cifar_keras.training.position import Position

    model = _model(make_strategy("cpu"))
    epoch = len(dataset.train.labels) / rate
    times = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Store(Path(folder), [])
        for step in range(repeats + 1):
            position = Position(step=step)
            times.append(seconds(lambda: store.save(take(model, position))))  # noqa: B023
    cost = figure("`resnet20` checkpoint, taken and flushed to disk", times[1:], "s")
    shares = [100 * taken / epoch for taken in times[1:]]
    return [cost, figure("one an epoch, as a share of training time", shares, "%")]


def _recipe() -> Recipe:
    return load_recipe(recipe_path("resnet20"))


def _batches(dataset: Dataset) -> Any:
    from cifar_keras.data.pipeline import TrainingBatches
    from cifar_keras.data.statistics import normalization

    data = _recipe().data
    norm = normalization(data, dataset.train.images)
    return TrainingBatches(dataset.train.images, dataset.train.labels, data, norm, seed=1)


def _model(strategy: Any) -> Any:
    from cifar_keras.training.compiled import compiled_model

    return compiled_model(_recipe(), 1, strategy, per_epoch=391)

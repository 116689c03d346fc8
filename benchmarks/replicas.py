"""Compare a run on different numbers of devices or workers; only rounding may differ.

    python -m benchmarks.replicas cpu:1 cpu:2 cpu:4 workers:2 workers:3 --dtype float32

trains one network for some steps from one seed, each time in new processes, and prints how much
the losses and weights differ from the first. The network `noisy` has everything that could depend
on the number of replicas: synchronized batch norm, dropout of elements and of channels, and both
forms of RReLU. The images are cropped and flipped. Any recipe can be used instead.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifar_keras.distribute.cluster import Cluster, named
from cifar_keras.distribute.launch import free_ports

Arrays = dict[str, NDArray[Any]]
NOISY = "noisy"


def noisy(input_shape: tuple[int, int, int], num_classes: int, width: int) -> Any:
    """Return a narrow network of all layers that depend on the whole batch or on randomness."""
    import keras

    from cifar_keras.layers import BatchNormalization, Dropout, RReLU, SpatialDropout2D

    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, 2, use_bias=False, name="conv")(inputs)
    x = RReLU(1 / 8, 1 / 3, name="rrelu")(BatchNormalization(name="bn")(x))
    x = SpatialDropout2D(0.2, name="channels")(x)
    x = keras.layers.Conv2D(2 * width, 3, 2, use_bias=False, name="conv2")(x)
    x = BatchNormalization(unbiased=True, name="bn2")(x)
    x = RReLU.from_divisors(3, 8, name="rrelu2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(0.3, name="elements")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits")(x))


def train(
    where: str,
    dtype: str = "float64",
    steps: int = 20,
    batch_size: int = 16,
    recipe_name: str = NOISY,
    cluster: Cluster | None = None,
) -> Arrays:
    """Train and return the losses of the steps and the final weights by name."""
    from cifar_keras.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from cifar_keras.data import load
    from cifar_keras.distribute.devices import feed, make_strategy
    from cifar_keras.experiment import Experiment
    from cifar_keras.models import MODELS
    from cifar_keras.recipe import load_recipe, recipe_path

    strategy = make_strategy("cpu" if cluster else where, cluster)
    changes = [f"data.batch_size={batch_size}", "reference=null"]
    if recipe_name == NOISY:
        changes += ["dataset=synthetic10", "model={name: noisy, width: 4}"]
    path = recipe_path("demo" if recipe_name == NOISY else recipe_name)
    recipe = load_recipe(path, changes)
    kind = "synthetic100" if recipe.num_classes == 100 else "synthetic10"
    dataset = load(kind, None)
    before = keras.config.floatx()
    MODELS[NOISY] = noisy
    keras.config.set_floatx(dtype)
    try:
        experiment = Experiment(recipe, dataset, 1, strategy)
    finally:
        del MODELS[NOISY]
        keras.config.set_floatx(before)
    network, batches = experiment.model, experiment.batches
    network.optimizer.learning_rate = 0.01
    losses: list[float] = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            losses.append(float(self.model.get_metrics_result()["loss"]))

    network.fit(
        feed(strategy, lambda replica, count: batches.dataset(0, steps, replica, count)),
        steps_per_epoch=steps,
        callbacks=[Losses()],
        shuffle=False,
        verbose=0,
    )
    weights = {
        f"{number}:{variable.path}": variable.numpy()
        for number, variable in enumerate(network.variables)
        if "seed_generator" not in variable.name
    }
    return {"losses": np.array(losses), **weights}


def in_processes(where: str, arguments: Sequence[str] = ()) -> Arrays:
    """Return the result of `train` on `cpu:2`, or of the chief worker of `workers:2`."""
    kind, _, number = where.partition(":")
    count = int(number) if kind == "workers" else 1
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{index}.npz" for index in range(count)]
        start = [sys.executable, "-m", "benchmarks.replicas", where, *arguments]
        commands = [[*start, "--save", str(file)] for file in files]
        if kind == "workers":
            cluster = ",".join(f"127.0.0.1:{port}" for port in free_ports(count))
            for index, command in enumerate(commands):
                command += ["--cluster", cluster, "--index", str(index)]
        children = [subprocess.Popen(command) for command in commands]
        codes = [child.wait() for child in children]
        if any(codes):
            raise RuntimeError(f"{where}: a process failed; the exit codes are {codes}")
        with np.load(files[0]) as archive:
            return {name: archive[name] for name in archive.files}


def difference(one: Arrays, other: Arrays) -> tuple[float, float]:
    """Return the largest differences of the losses and of the weights.

    Each is divided by the largest magnitude in its array if that is above 1, because a moving
    variance of raw pixels is in the thousands and rounds accordingly.
    """
    assert one.keys() == other.keys()
    gaps = {
        name: float(np.abs(one[name] - other[name]).max() / max(1, np.abs(one[name]).max()))
        for name in one
    }
    return gaps.pop("losses"), max(gaps.values())


def main() -> None:
    """Train on each and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "where", nargs="+", help="cpu:2, workers:3, ...; all are compared with the first"
    )
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--recipe", default=NOISY)
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cluster", help=argparse.SUPPRESS)
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.save:
        cluster = named(options.cluster, options.index) if options.cluster else None
        numbers = (options.dtype, options.steps, options.batch_size)
        arrays: dict[str, Any] = train(options.where[0], *numbers, options.recipe, cluster)
        np.savez(options.save, **arrays)
        return
    arguments = [f"--dtype={options.dtype}", f"--steps={options.steps}"]
    arguments += [f"--batch-size={options.batch_size}", f"--recipe={options.recipe}"]
    first, *others = options.where
    ours = in_processes(first, arguments)
    print(f"{first}: loss {ours['losses'][0]:.6f} to {ours['losses'][-1]:.6f}")
    for each in others:
        losses, weights = difference(ours, in_processes(each, arguments))
        print(f"{each}: losses differ by {losses:.2g}, weights by {weights:.2g} at most")


if __name__ == "__main__":
    main()

"""A requested run, from the command `train` or from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_keras.errors import RecipeError
from cifar_keras.quiet import import_tensorflow
from cifar_keras.run.signals import ending_at_once

if TYPE_CHECKING:
    from cifar_keras.distribute.cluster import Cluster
    from cifar_keras.recipe import Recipe
    from cifar_keras.records import Result

_SLOW_BFLOAT16 = (
    "this processor has no bfloat16 instructions (avx512_bf16, amx_bf16): mixed_bfloat16 will be "
    "several times slower than float32"
)


@dataclass(frozen=True)
class Request:
    """What to train, on which data and devices, and where to keep it.

    `networks` is the folder of the user's recipe, which may name a network there. `every` are the
    arguments of `run.train.Every`. The other fields are those of `run.folder.Job`.
    """

    name: str
    recipe: Recipe
    seed: int
    budget: str
    overrides: tuple[str, ...]
    command: tuple[str, ...]
    run_dir: Path
    networks: Path | None = None
    data_dir: Path | None = None
    mirrors: tuple[str, ...] = ()
    weights: Path | None = None
    trackers: tuple[str, ...] = ()
    jit: str = "auto"
    test_every: int = 1
    devices: str = "auto"
    cluster: Cluster | None = None
    every: Mapping[str, Any] = field(default_factory=lambda: {"seconds": 900.0})
    fresh: bool = False

    @property
    def folder(self) -> Path:
        """The run's folder."""
        from cifar_keras.records import run_name

        overrides, precision = self.overrides, self.recipe.precision
        return self.run_dir / run_name(self.name, self.seed, self.budget, overrides, precision)

    @property
    def chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.cluster is None or self.cluster.index == 0


def execute(request: Request, notify: Callable[[str], None]) -> tuple[Result, bool]:
    """Train the run to its end; return its result, and whether it was already finished.

    Args:
        request: the run.
        notify: called with each message for the user before training starts.

    Raises:
        CifarKerasError: as `run.train.train`; or weights are given for a recipe with random
            initial weights; or the data are not available.
    """
    from cifar_keras.data import load
    from cifar_keras.records import RESULT

    recipe, folder, cluster = request.recipe, request.folder, request.cluster
    check_weights(request.weights, request.name, recipe)
    dataset = load(recipe.dataset, request.data_dir, mirrors=request.mirrors)

    import_tensorflow()
    from cifar_keras.distribute.devices import make_strategy, multiplies_bfloat16
    from cifar_keras.models import allow_outside
    from cifar_keras.run.folder import Job, move_aside
    from cifar_keras.run.train import Every, train

    job = Job(
        name=request.name,
        recipe=recipe,
        seed=request.seed,
        budget=request.budget,
        overrides=request.overrides,
        folder=folder,
        command=request.command,
        weights=request.weights,
        trackers=request.trackers,
        jit=request.jit,
        test_every=request.test_every,
    )
    if request.networks:
        allow_outside(request.networks)
    if cluster:
        notify(f"worker {cluster.index} of {len(cluster.workers)}; waiting for the others")
    # A worker waits here for the others and has no state to save yet.
    with ending_at_once() if cluster else nullcontext():
        strategy = make_strategy(request.devices, cluster, deterministic=request.jit != "on")
    if recipe.precision == "mixed_bfloat16" and not multiplies_bfloat16(strategy):
        notify(_SLOW_BFLOAT16)
    if request.chief and request.fresh and (aside := move_aside(folder)):
        notify(f"the earlier run is now '{aside}'")
    done = request.chief and (folder / RESULT).exists()
    return train(job, dataset, strategy, Every(**request.every)), done


def check_weights(weights: Path | None, name: str, recipe: Recipe) -> None:
    """Raise an error if weights are given for a recipe with random initial weights."""
    if weights and recipe.initial_weights == "none":
        raise RecipeError(f"--weights: recipe '{name}' has random initial weights; leave it out")

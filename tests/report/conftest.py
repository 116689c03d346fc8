from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import STARTED, made_epoch, made_result, made_run

from cifar_keras.recipe import Recipe, load_recipe, recipes_folder
from cifar_keras.records import (
    RESULT,
    RUN,
    BestByValidation,
    BestOnTest,
    Epoch,
    Validation,
    run_name,
    write_history,
    write_record,
)
from cifar_keras.schedules import Pace, tested_epochs

PROVENANCE = {
    "versions": {"python": "3.12.1", "tensorflow": "2.20.0", "keras": "3.12.0"},
    "git": {"revision": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
    "hardware": {"cpu": "Example CPU", "cores": 2, "memory_gib": 8.0, "gpus": []},
    "data": {"name": "cifar10", "synthetic": False, "official": True},
}

MakeRun = Callable[..., Path]


@pytest.fixture
def resnet20() -> Recipe:
    return load_recipe(recipes_folder() / "resnet20.yaml")


@pytest.fixture
def synthetic() -> Recipe:
    overrides = ["dataset=synthetic10", "reference=null"]
    return load_recipe(recipes_folder() / "resnet20.yaml", overrides)


STEPS = 391


def history(recipe: Recipe, budget: str, accuracies: list[float]) -> list[Epoch]:
    """One row an epoch; the last test accuracies are those given, the ones before rise to them."""
    pace = Pace(STEPS, budget)
    stages = [pace.step_of(stage.epochs) for stage in recipe.stages]
    places = list(tested_epochs(stages, STEPS))
    epochs = len(places)
    accuracies = accuracies[-epochs:]
    boundaries = [epochs // 2, 3 * epochs // 4]
    rise = [accuracies[0] * (i + 1) / epochs for i in range(epochs - len(accuracies))]
    return [
        made_epoch(
            epoch,
            stage=stage,
            step=step,
            learning_rate=0.1 * 0.1 ** sum(i >= b for b in boundaries),
            accuracy=min(1.0, test + 0.05),
            test_loss=1.1,
            test_accuracy=test,
            seconds=200.0,
            images_per_second=250.0,
            **validation(recipe, test),
        )
        for i, ((stage, step, epoch), test) in enumerate(
            zip(places, rise + accuracies, strict=True)
        )
    ]


def validation(recipe: Recipe, test: float) -> dict[str, float]:
    """A hundredth less than the test accuracy, where images are held out."""
    if not recipe.data.validation:
        return {}
    return {"validation_loss": 1.2, "validation_accuracy": max(0.0, round(test - 0.01, 6))}


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """Write a finished run: `accuracies` are the test accuracies of its last epochs."""

    def make(
        root: Path,
        recipe: Recipe,
        *,
        accuracies: list[float],
        name: str = "resnet20",
        seed: int = 1,
        budget: str = "1",
        overrides: list[str] | None = None,
        started: str = STARTED,
        provenance: dict[str, Any] | None = None,
    ) -> Path:
        folder = root / run_name(name, seed, budget, overrides or [], recipe.precision)
        rows = history(recipe, budget, accuracies)
        best = max(rows, key=lambda row: row.test_accuracy)
        stages = {row.stage: row.step for row in rows}
        run = made_run(
            name,
            recipe,
            seed=seed,
            budget=budget,
            overrides=overrides or [],
            started=started,
            provenance=PROVENANCE if provenance is None else provenance,
        )
        result = made_result(
            test_accuracy=accuracies[-1],
            test_correct=round(accuracies[-1] * 10000),
            test_loss=1.1,
            epochs=rows[-1].epoch,
            steps=sum(stages.values()),
            best_on_test=BestOnTest(test_accuracy=best.test_accuracy, epoch=best.epoch),
            parameters=272292,
            macs=40_800_000,
            seconds=200.0 * len(rows),
            images_per_second=250.0,
            peak_memory_mib=2000,
            finished="2026-01-01T10:00:00+00:00",
            validation=Validation(
                accuracy=accuracies[-1] - 0.01,
                correct=round((accuracies[-1] - 0.01) * recipe.data.validation),
                images=recipe.data.validation,
                loss=1.2,
                best=BestByValidation(
                    test_accuracy=best.test_accuracy,
                    accuracy=best.test_accuracy - 0.01,
                    epoch=best.epoch,
                ),
            )
            if recipe.data.validation
            else None,
        )
        write_record(folder, RUN, run)
        write_history(folder, rows)
        write_record(folder, RESULT, result)
        return folder

    return make

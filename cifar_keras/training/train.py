"""One run: a recipe, a seed, a folder."""

import datetime
import hashlib
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from cifar_keras import runs
from cifar_keras.data import Dataset
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.data.statistics import normalization
from cifar_keras.errors import RunError
from cifar_keras.models import build_model, multiply_adds, trainable_parameters
from cifar_keras.optimizers import CoupledSGD
from cifar_keras.provenance import provenance
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.schema import Sgd
from cifar_keras.schedules import build as build_schedule
from cifar_keras.schedules import step_of
from cifar_keras.training.callbacks import HistoryLog, make_callbacks
from cifar_keras.training.devices import device_names
from cifar_keras.training.losses import SmoothedCrossEntropy


@dataclass(frozen=True)
class Job:
    """What was asked for: everything that decides a run's figures, and where they go."""

    name: str
    recipe: Recipe
    seed: int
    budget: str
    overrides: tuple[str, ...]
    folder: Path
    command: tuple[str, ...]


@dataclass(frozen=True)
class Leg:
    """Consecutive epochs of the same number of steps: one call of `fit`."""

    first_step: int
    steps_per_epoch: int
    first_epoch: int
    last_epoch: int


def legs(first_step: int, total_steps: int, per_epoch: int) -> list[Leg]:
    """The calls of `fit` that lead from `first_step` to `total_steps`.

    A whole run is one leg; what is left of an interrupted epoch, and a last epoch that is a
    fraction, are legs of their own.
    """
    plan: list[Leg] = []
    step = first_step
    while step < total_steps:
        epoch, inside = divmod(step, per_epoch)
        whole = (total_steps - step) // per_epoch
        if inside or not whole:
            length, last = min(per_epoch - inside, total_steps - step), epoch + 1
            plan.append(Leg(step, length, epoch, last))
            step += length
        else:
            plan.append(Leg(step, per_epoch, epoch, epoch + whole))
            step += whole * per_epoch
    return plan


def train(job: Job, dataset: Dataset, strategy: tf.distribute.Strategy) -> runs.Result:
    """Train, evaluate after each epoch, and write the run folder.

    Raises:
        RunError: the folder holds a run already, or cannot be written.
        RecipeError: the recipe's network cannot be built.
    """
    if (job.folder / runs.RUN).exists():
        raise RunError(f"'{job.folder}' holds a run already; move it away, or take another --seed")
    recipe, data = job.recipe, job.recipe.data
    model = compiled_model(recipe, job.seed, strategy)
    norm = normalization(data, dataset.train.images)
    batches = TrainingBatches(dataset.train.images, dataset.train.labels, data, norm, seed=job.seed)
    tests = evaluation_batches(dataset.test.images, dataset.test.labels, data, norm)
    per_epoch = batches.steps_per_epoch
    total = step_of(recipe.stages[0].epochs, per_epoch, job.budget)
    if total < 1:
        raise RunError(f"--budget {job.budget} leaves not one step; take a larger one")
    rate, by_epoch = build_schedule(
        recipe.stages[0].schedule, recipe.stages[0].epochs, per_epoch, job.budget
    )
    _write_run(job, dataset, strategy)
    label = f"{job.name} seed {job.seed}{' (synthetic data)' if recipe.synthetic else ''}"
    callbacks = make_callbacks(rate, by_epoch, job.folder, label, data.batch_size, total, per_epoch)
    begin = time.perf_counter()
    for leg in legs(0, total, per_epoch):
        model.fit(
            batches.dataset(leg.first_step, total),
            steps_per_epoch=leg.steps_per_epoch,
            initial_epoch=leg.first_epoch,
            epochs=leg.last_epoch,
            validation_data=tests,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    history = next(each.rows for each in callbacks if isinstance(each, HistoryLog))
    return _write_result(job, dataset, model, history, time.perf_counter() - begin)


def compiled_model(recipe: Recipe, seed: int, strategy: tf.distribute.Strategy) -> keras.Model:
    """The recipe's network with its initial weights of this seed, ready for `fit`."""
    keras.utils.set_random_seed(seed)
    gpus = [name for name in strategy.extended.worker_devices if "GPU" in name]
    with strategy.scope():
        model = build_model(
            recipe.model.name,
            (recipe.data.crop, recipe.data.crop, 3),
            recipe.num_classes,
            recipe.model.arguments,
        )
        model.compile(
            optimizer=_optimizer(recipe),
            loss=SmoothedCrossEntropy(recipe.label_smoothing),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            # XLA is slower than oneDNN on CPUs and fails on several replicas.
            jit_compile=len(gpus) == 1,
        )
    return model


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    chosen = recipe.optimizer
    if isinstance(chosen, Sgd):
        return CoupledSGD(
            momentum=chosen.momentum,
            nesterov=chosen.nesterov,
            coupled_decay=chosen.weight_decay,
            decayed=chosen.decayed,
        )
    return keras.optimizers.Adadelta(rho=chosen.rho, epsilon=chosen.epsilon)


def _write_run(job: Job, dataset: Dataset, strategy: tf.distribute.Strategy) -> None:
    run = runs.Run(
        name=job.name,
        recipe=job.recipe,
        recipe_sha256=job.recipe.sha256(),
        seed=job.seed,
        budget=job.budget,
        overrides=list(job.overrides),
        command=list(job.command),
        started=_now(),
        provenance=provenance(dataset.provenance, device_names(strategy)),
    )
    runs.write_record(job.folder, runs.RUN, run)


def _write_result(
    job: Job,
    dataset: Dataset,
    model: keras.Model,
    history: Sequence[runs.Epoch],
    seconds: float,
) -> runs.Result:
    weights_sha256 = _save_weights(model, job.folder)
    last = history[-1]
    best = max(history, key=lambda row: row.test_accuracy)
    images = len(dataset.test.labels)
    result = runs.Result(
        test_accuracy=last.test_accuracy,
        test_correct=round(last.test_accuracy * images),
        test_images=images,
        test_loss=last.test_loss,
        epochs=last.epoch,
        steps=last.step,
        best_on_test=runs.BestOnTest(test_accuracy=best.test_accuracy, epoch=best.epoch),
        parameters=trainable_parameters(model),
        macs=multiply_adds(model, model.input_shape[1:]),
        seconds=seconds,
        images_per_second=sum(row.images_per_second for row in history) / len(history),
        peak_memory_mib=_peak_memory_mib(),
        weights_sha256=weights_sha256,
        finished=_now(),
    )
    runs.write_record(job.folder, runs.RESULT, result)
    return result


def _save_weights(model: keras.Model, folder: Path) -> str:
    scratch = folder / f".saving.{runs.WEIGHTS}"
    try:
        model.save_weights(scratch)
        content = scratch.read_bytes()
    except OSError as error:
        raise runs.unwritable(folder / runs.WEIGHTS, error) from None
    finally:
        scratch.unlink(missing_ok=True)
    runs.write_bytes(folder / runs.WEIGHTS, content)
    return hashlib.sha256(content).hexdigest()


def _peak_memory_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")

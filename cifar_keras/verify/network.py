"""The figures that the saved network itself must give again."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.data import Dataset
from cifar_keras.evaluate import this_machine
from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.provenance import versions
from cifar_keras.verify.check import Check, State, close, equal

# Other kernels, of oneDNN or of TensorFlow, were seen to move logits by 3e-7 of the largest one. An
# image whose two largest lie nearer than this share of it may be named otherwise elsewhere. Under
# mixed precision other kernels round intermediate maps, too: the rounding as a whole moved logits
# by up to 2e-3 (float16) and 3e-2 (bfloat16) of the largest, and the loss by 1e-4 and 3e-3 of it.
NEAR = {"float32": 1e-4, "mixed_float16": 5e-3, "mixed_bfloat16": 6e-2}
# Means of float32 losses, batch by batch.
SAME_LOSS = 1e-5
NEAR_LOSS = {"float32": 1e-4, "mixed_float16": 1e-3, "mixed_bfloat16": 1e-2}


def same_machine(event: records.Event | None) -> bool:
    """Whether the event was on such a machine as this one, with these versions."""
    if event is None:
        return False
    # An earlier version wrote less down.
    known = {key: value for key, value in this_machine().items() if key in event.machine}
    return (event.versions, event.machine) == (versions(), known)


def near_ties(logits: NDArray[np.floating], near: float) -> int:
    """How many images have their two largest logits within this share of the largest of all."""
    two = np.sort(logits, axis=-1)[:, -2:]
    return int(np.sum(two[:, 1] - two[:, 0] < near * np.abs(logits).max()))


def count_check(
    name: str,
    stated: int,
    logits: NDArray[np.floating],
    dataset: Dataset,
    near: float | None,
) -> Check:
    """The images recognised: the very number where `near` is None, or but for near ties."""
    found = int(np.sum(logits.argmax(axis=-1) == dataset.test.labels))
    exact = near is None
    allowed = 0 if near is None else near_ties(logits, near)
    rule = "same machine and versions: exactly"
    if not exact:
        rule = f"another machine or versions: within {allowed}, the images nearly a tie"
    state: State = "holds" if abs(found - stated) <= allowed else "FAILS"
    return Check(name, state, f"{stated:,} is stated, {found:,} found; {rule}")


def size_checks(model: keras.Model, run: records.Run, result: records.Result) -> Iterator[Check]:
    """The numbers of the network that are counted in it."""
    for layer in model.layers:
        layer.trainable = not any(
            fnmatchcase(layer.name, pattern) for pattern in run.recipe.stages[-1].frozen
        )
    yield equal("result.json parameters", result.parameters, trainable_parameters(model))
    yield equal("result.json macs", result.macs, multiply_adds(model, run.recipe.image_shape))


def evaluation_checks(
    logits: NDArray[np.float32],
    run: records.Run,
    result: records.Result,
    last: records.Epoch,
    dataset: Dataset,
    exact: bool,
) -> Iterator[Check]:
    """The accuracy and the loss of the last epoch, in result.json and in history.csv."""
    images, precision = len(dataset.test.labels), run.recipe.precision
    near = None if exact else NEAR[precision]
    name = "result.json test_correct again"
    yield count_check(name, result.test_correct, logits, dataset, near)
    if last.test_accuracy is not None:
        row = round(last.test_accuracy * images)
        name = "history.csv test_accuracy again"
        yield count_check(name, row, logits, dataset, near)
    loss = _loss(logits, run, dataset)
    tolerance = SAME_LOSS if exact else NEAR_LOSS[precision]
    yield close("result.json test_loss again", result.test_loss, loss, tolerance)
    if last.test_accuracy is not None:
        yield close("history.csv test_loss again", last.test_loss, loss, tolerance)


def _loss(logits: NDArray[np.float32], run: records.Run, dataset: Dataset) -> float | None:
    smoothed = SmoothedCrossEntropy(run.recipe.label_smoothing)
    loss = float(smoothed(tf.constant(dataset.test.labels), tf.constant(logits)))
    return loss if np.isfinite(loss) else None

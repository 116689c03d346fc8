"""Check the figures of weights with kernels in float16, and compare the run's own with them."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.data import Dataset
from cifar_keras.evaluate import averaged_logits, plain_logits
from cifar_keras.verify.check import Check, State, close, equal
from cifar_keras.verify.history import DIGITS
from cifar_keras.verify.network import NEAR, count_check, must_agree, near_ties

# Rounding the kernels of ResNet-20 to float16 changed logits by 4e-4 of the largest; see `NEAR`.
KERNELS_NEAR = 2e-3


def half_checks(
    folder: Path,
    model: keras.Model,
    run: records.Run,
    result: records.Result,
    tta: records.Tta | None,
    dataset: Dataset,
) -> Iterator[Check]:
    """Check the results of these weights against their own record and against the run's."""
    half = records.read_half(folder)
    assert half
    images = len(dataset.test.labels)
    yield equal(f"{records.HALF} test_images", half.test_images, images)
    share = half.test_correct / images
    yield close(f"{records.HALF} test_accuracy", half.test_accuracy, share, DIGITS)
    near = NEAR[run.recipe.precision]
    logits = plain_logits(model, run, dataset)
    name = f"{records.HALF} test_correct again"
    labels = dataset.test.labels
    yield count_check(name, half.test_correct, logits, labels, near)
    yield _own_figure("result.json test_correct", result.test_correct, run, logits, labels)
    if dataset.validation and result.validation:
        name, own = "result.json validation.correct", result.validation.correct
        held = plain_logits(model, run, dataset, dataset.validation)
        yield _own_figure(name, own, run, held, dataset.validation.labels)
    if half.augmented_correct is not None:
        averaged = averaged_logits(model, run, dataset)
        name = f"{records.HALF} augmented_correct again"
        yield count_check(name, half.augmented_correct, averaged, labels, near)
        if tta:
            yield _own_figure("tta.json test_correct", tta.test_correct, run, averaged, labels)


def _own_figure(
    name: str,
    stated: int,
    run: records.Run,
    logits: NDArray[np.floating],
    labels: NDArray[np.int64],
) -> Check:
    """Check the run's own figure, up to the images that rounding the kernels can change."""
    found = int(np.sum(logits.argmax(axis=-1) == labels))
    allowed = near_ties(logits, max(NEAR[run.recipe.precision], KERNELS_NEAR))
    state: State = "holds" if abs(found - stated) <= allowed else "FAILS"
    note = (
        f"{stated:,} is stated, {found:,} found ({found - stated:+,}); kernels in float16: "
        f"{must_agree(allowed)}"
    )
    return Check(f"{name} in float16", state, note)

"""Check the figures that can be recomputed with the saved network."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.evaluate import this_machine
from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.listing import counted
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.provenance import versions
from cifar_keras.verify.check import Check, State, close, equal

# If an image's two largest logits differ by less than this fraction of the largest logit, another
# machine may predict another class. oneDNN's kernels instead of TensorFlow's changed logits by 3e-7
# of the largest. In mixed precision, other kernels also round intermediate maps differently. All of
# that rounding together changed logits by up to 2e-3 (float16) and 3e-2 (bfloat16) of the largest,
# and the loss by 1e-4 and 3e-3 of itself.
NEAR = {"float32": 1e-4, "mixed_float16": 5e-3, "mixed_bfloat16": 6e-2}
# The loss is a mean of float32 numbers that may be grouped into batches differently.
SAME_LOSS = 1e-5
NEAR_LOSS = {"float32": 1e-4, "mixed_float16": 1e-3, "mixed_bfloat16": 1e-2}


def same_machine(event: records.Event | None) -> bool:
    """Return whether the event was on a machine like this one, with the same versions."""
    if event is None:
        return False
    # Earlier versions recorded less about the machine.
    known = {key: value for key, value in this_machine().items() if key in event.machine}
    return (event.versions, event.machine) == (versions(), known)


def near_ties(logits: NDArray[np.floating], near: float) -> int:
    """Return how many images have their two largest logits within a fraction `near` of the largest.

    The largest is that of all images.
    """
    two = np.sort(logits, axis=-1)[:, -2:]
    return int(np.sum(two[:, 1] - two[:, 0] < near * np.abs(logits).max()))


def must_agree(allowed: int) -> str:
    """Return the rule that a count may differ by so many near ties, as text for a note."""
    return f"must agree within {counted(allowed, 'near-tie image')}"


def count_check(
    name: str,
    stated: int,
    logits: NDArray[np.floating],
    labels: NDArray[np.int64],
    near: float | None,
) -> Check:
    """Check the number of correct images: exactly if `near` is None, else up to near ties."""
    found = int(np.sum(logits.argmax(axis=-1) == labels))
    exact = near is None
    allowed = 0 if near is None else near_ties(logits, near)
    rule = "same machine and versions: exactly"
    if not exact:
        rule = f"another machine or version: {must_agree(allowed)}"
    state: State = "holds" if abs(found - stated) <= allowed else "FAILS"
    return Check(name, state, f"{stated:,} is stated, {found:,} found; {rule}")


def size_checks(model: keras.Model, run: records.Run, result: records.Result) -> Iterator[Check]:
    """Check the network's numbers of parameters and multiply-adds."""
    for layer in model.layers:
        layer.trainable = not any(
            fnmatchcase(layer.name, pattern) for pattern in run.recipe.stages[-1].frozen
        )
    yield equal("result.json parameters", result.parameters, trainable_parameters(model))
    yield equal("result.json macs", result.macs, multiply_adds(model, run.recipe.image_shape))


def evaluation_checks(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    run: records.Run,
    stated: Mapping[str, float | None],
    exact: bool,
) -> Iterator[Check]:
    """Check the figures of a split after the last epoch.

    Args:
        logits: of the split's images.
        labels: of the split's images.
        run: the run.
        stated: the claims by their names, which end in `correct`, `accuracy` or `loss`.
        exact: whether the run ended on this machine with these versions.
    """
    precision = run.recipe.precision
    near = None if exact else NEAR[precision]
    loss = _loss(logits, labels, run)
    for name, value in stated.items():
        if name.endswith("loss"):
            tolerance = SAME_LOSS if exact else NEAR_LOSS[precision]
            yield close(f"{name} again", value, loss, tolerance)
        elif value is not None:
            count = round(value * len(labels)) if name.endswith("accuracy") else int(value)
            yield count_check(f"{name} again", count, logits, labels, near)


def _loss(logits: NDArray[np.float32], labels: NDArray[np.int64], run: records.Run) -> float | None:
    smoothed = SmoothedCrossEntropy(run.recipe.label_smoothing)
    loss = float(smoothed(tf.constant(labels), tf.constant(logits)))
    return loss if np.isfinite(loss) else None

"""Evaluate a run's saved weights on all test images: accuracy, by class, and confusions."""

import logging
import warnings
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.data import Dataset, Split, held_out
from cifar_keras.data.normalize import normalization
from cifar_keras.data.pipeline import evaluation_batches
from cifar_keras.distribute.devices import device_names, make_strategy
from cifar_keras.errors import RecipeError, RunError
from cifar_keras.experiment.compiled import uses_jit
from cifar_keras.experiment.network import build_network
from cifar_keras.files import sha256_of
from cifar_keras.provenance import machine, new_event, now
from cifar_keras.terminal import images_bar
from cifar_keras.views import VIEW_WEIGHTS, airbench_views

# Bins of equal width over the confidence.
_BINS = 15


@dataclass(frozen=True)
class Confidence:
    """How good a network's probabilities (the softmax of its logits) are.

    Attributes:
        top_5: the fraction of images whose class is among the five likeliest.
        negative_log_likelihood: the mean over the images, in nats.
        calibration_error: the expected calibration error, a fraction: the gap between the
            confidence (the highest probability) and the accuracy, averaged over 15 bins of equal
            width, weighted by the images in each bin.

    Reference:
        Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, 2017, section 2.
    """

    top_5: float
    negative_log_likelihood: float
    calibration_error: float

    @classmethod
    def of(cls, logits: NDArray[np.floating], labels: NDArray[np.integer]) -> "Confidence":
        """Return the figures for logits (N, outputs) and true classes (N,)."""
        logits = logits.astype(np.float64)
        logs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        images = np.arange(len(labels))
        true, likeliest = logs[images, labels], logs.argmax(axis=-1)
        ranks = (logs > true[:, None]).sum(axis=-1)
        confidence, right = np.exp(logs[images, likeliest]), likeliest == labels
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        gaps = np.bincount(bins, right - confidence, minlength=_BINS)
        return cls(
            top_5=float(np.mean(ranks < 5)),
            negative_log_likelihood=float(-true.mean()),
            calibration_error=float(np.abs(gaps).sum() / len(labels)),
        )


@dataclass(frozen=True)
class Evaluation:
    """The network's predictions on the test images.

    `confusion` has shape (classes, outputs) and counts images: rows are true classes, columns
    predicted ones. A network that keeps the head of another data set has more outputs than classes.
    `validation` is the number of held-out images and how many of them are correct; None without
    held-out images.
    """

    confusion: NDArray[np.int64]
    class_names: tuple[str, ...]
    confidence: Confidence
    validation: tuple[int, int] | None = None

    @property
    def images(self) -> int:
        """The number of images."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """The number of correctly classified images."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """The fraction of correctly classified images."""
        return self.correct / self.images

    def class_accuracies(self) -> list[tuple[str, float]]:
        """Return each class with its accuracy, lowest first."""
        shares = np.diag(self.confusion) / self.confusion.sum(axis=1)
        return sorted(zip(self.class_names, shares.tolist(), strict=True), key=lambda pair: pair[1])

    def most_confused(self, count: int = 5) -> list[tuple[str, str, int]]:
        """Return the most frequent errors as (true, predicted, images), most frequent first."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [np.unravel_index(place, wrong.shape) for place in order]
        names = [*self.class_names]
        names += [f"output {n}" for n in range(len(names), wrong.shape[1])]
        named = [(names[t], names[p], int(wrong[t, p])) for t, p in pairs]
        return [pair for pair in named if pair[2]]


def evaluate(folder: Path, run: records.Run, dataset: Dataset) -> Evaluation:
    """Build the run's network, load its weights, and evaluate it on all test images.

    Images held out for validation are evaluated, too.

    Raises:
        RunError: the network cannot be built, or the weights are missing or do not fit it.
        RecipeError: the training set is too small for the held-out images.
    """
    dataset = held_out(dataset, run.recipe.data.validation)
    model = load_network(folder, run)
    _warn_of_differences(folder, run, dataset)
    logits = plain_logits(model, run, dataset)
    shape = run.recipe.num_classes, logits.shape[-1]
    places = dataset.test.labels * shape[1] + logits.argmax(axis=-1)
    confusion = np.bincount(places, minlength=prod(shape)).reshape(shape)
    confidence = Confidence.of(logits, dataset.test.labels)
    validation = None
    if held := dataset.validation:
        found = plain_logits(model, run, dataset, held).argmax(axis=-1)
        validation = len(held), int(np.sum(found == held.labels))
    return Evaluation(confusion, dataset.class_names, confidence, validation)


def evaluate_views(folder: Path, run: records.Run, dataset: Dataset) -> records.Tta:
    """Evaluate the run with test-time augmentation (six views), and write tta.json.

    Its hash, the versions and the machine are recorded in run.json. Nothing is written for weights
    with float16 kernels, because tta.json belongs to the run's own weights.

    Raises:
        RunError: as `evaluate`, or the folder cannot be written.
    """
    logits = averaged_logits(load_network(folder, run), run, dataset)
    correct = int(np.sum(logits.argmax(axis=-1) == dataset.test.labels))
    tta = records.Tta(
        test_accuracy=correct / len(dataset.test.labels),
        test_correct=correct,
        test_images=len(dataset.test.labels),
        views=len(VIEW_WEIGHTS),
        weights_sha256=sha256_of(weights := records.weights_file(folder)),
        finished=now(),
    )
    if weights.name == records.WEIGHTS:
        records.write_record(folder, records.TTA, tta)
        events = run.training_events
        place = (events[-1].stage, events[-1].step) if events else (1, 0)
        files = {records.TTA: sha256_of(folder / records.TTA)}
        records.add_event(folder, new_event("evaluated", *place, this_machine(), files=files))
    return tta


def this_machine() -> dict[str, Any]:
    """Return what determines rounding on this machine, besides the versions."""
    strategy = make_strategy()
    return machine(device_names(strategy), uses_jit("auto", strategy))


def load_network(folder: Path, run: records.Run, weights: Path | None = None) -> keras.Model:
    """Return the run's network, from normalized images to logits, with these weights.

    The default is `records.weights_file`.

    Raises:
        RunError: the network cannot be built, or the weights are missing or do not fit it.
    """
    weights = weights or records.weights_file(folder)
    try:
        model = build_network(run.recipe)
    except RecipeError as error:
        raise RunError(f"the network of '{folder}' cannot be built: {error}") from None
    load_weights(model, weights)
    return model


def load_weights(model: keras.Model, weights: Path) -> None:
    """Load a weight file into a network; the file must hold no other weights.

    Raises:
        RunError: the file is missing or damaged, or does not fit the network.
    """
    try:
        with warnings.catch_warnings():
            # Keras raises an error afterwards for everything that it warns of here.
            warnings.simplefilter("ignore")
            model.load_weights(weights)
        # Keras ignores weights in the file that the network lacks. The states of random layers are
        # variables, but never in a weight file.
        if _numbers_in(weights) != sum(prod(variable.shape) for variable in model.weights):
            raise ValueError("it holds more than the network has")
    # On damaged files Keras and h5py raise almost any exception.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"'{weights}' does not fit the run's network: {reason}") from None


def plain_logits(
    model: keras.Model, run: records.Run, dataset: Dataset, split: Split | None = None
) -> NDArray[np.float32]:
    """Return logits (N, outputs) for the test images, or those of another split."""
    images, batches = len((split or dataset.test).labels), _batches(run, dataset, split)
    count = int(batches.cardinality())
    with images_bar("testing", images) as done:
        shown = keras.callbacks.LambdaCallback(
            on_predict_batch_end=lambda number, logs: done(images * (number + 1) // count)
        )
        logits: NDArray[np.float32] = model.predict(batches, callbacks=[shown], verbose=0)
    return logits


def averaged_logits(model: keras.Model, run: records.Run, dataset: Dataset) -> NDArray[np.float64]:
    """Return logits (N, outputs), averaged over six views of each test image."""
    batches: list[NDArray[np.float64]] = []
    with images_bar("testing with TTA", len(dataset.test.labels)) as done:
        for images, _ in _batches(run, dataset):
            logits = [model.predict_on_batch(view) for view in airbench_views(images)]
            batches.append(np.tensordot(VIEW_WEIGHTS, logits, axes=1))
            done(sum(map(len, batches)))
    return np.concatenate(batches)


def _batches(run: records.Run, dataset: Dataset, split: Split | None = None) -> tf.data.Dataset:
    data, split = run.recipe.data, split or dataset.test
    norm = normalization(data, held_out(dataset, data.validation).train.images)
    return evaluation_batches(split.images, split.labels, data, norm)


def _numbers_in(weights: Path) -> int:
    sizes: list[int] = []
    with h5py.File(weights) as file:
        file.visititems(lambda _, node: sizes.append(getattr(node, "size", 0)))
    return sum(sizes)


def _warn_of_differences(folder: Path, run: records.Run, dataset: Dataset) -> None:
    log = logging.getLogger("cifar_keras")
    then = run.provenance.get("data", {}).get("content_sha256")
    if then != dataset.provenance["content_sha256"]:
        log.warning("the data is not what the run was trained on: its content hash differs")
    weights = records.weights_file(folder)
    half = records.read_half(folder) if weights.name == records.HALF_WEIGHTS else None
    if half:
        log.warning("the weights are %s: kernels are rounded to float16", weights.name)
        if sha256_of(weights) != half.weights_sha256:
            log.warning("the weights are not those of %s: their hash differs", records.HALF)
    elif (folder / records.RESULT).is_file():
        stated = records.read_result(folder).weights_sha256
        if sha256_of(weights) != stated:
            log.warning("the weights are not those the run ended with: their hash differs")

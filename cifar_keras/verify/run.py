"""All checks of one run folder."""

from collections.abc import Iterator
from pathlib import Path

import keras

from cifar_keras import records
from cifar_keras.data import Dataset, held_out
from cifar_keras.errors import RecipeError, RunError
from cifar_keras.evaluate import averaged_logits, load_network, plain_logits
from cifar_keras.models.outside import why_refused
from cifar_keras.verify.check import Check, close, equal
from cifar_keras.verify.files import data_check, file_checks, preprocessing_check, recipe_checks
from cifar_keras.verify.half import half_checks
from cifar_keras.verify.history import DIGITS, history_checks, result_checks
from cifar_keras.verify.network import (
    NEAR,
    count_check,
    evaluation_checks,
    same_machine,
    size_checks,
)
from cifar_keras.views import VIEW_WEIGHTS


def verify_run(folder: Path, run: records.Run, dataset: Dataset) -> Iterator[Check]:
    """Yield a check for each claim that the folder makes about the run.

    Raises:
        RunError: a file that other files refer to is missing, or a file is damaged.
    """
    held = run.recipe.data.validation
    try:
        dataset = held_out(dataset, held)
    except RecipeError as error:
        yield Check("data.validation", "FAILS", str(error))
        return
    images = len(dataset.test)
    result = records.read_result(folder) if (folder / records.RESULT).exists() else None
    yield from recipe_checks(run)
    yield data_check(run, dataset.provenance)
    yield from preprocessing_check(folder, run, dataset)
    yield from file_checks(folder, run, result)
    rows = []
    if result or (folder / records.HISTORY).exists():
        rows = records.read_history(folder)
        finished = result is not None or run.finish is not None
        yield from history_checks(run, rows, len(dataset.train), images, finished)
    if result is None:
        if run.finish:
            yield Check(records.RESULT, "FAILS", "run.json says that it has finished")
        else:
            yield Check(records.RESULT, "unfinished", "the run is not finished")
        return
    yield from result_checks(result, rows, images, held)
    yield from _network_checks(folder, run, result, rows, dataset)


def _network_checks(
    folder: Path,
    run: records.Run,
    result: records.Result,
    rows: list[records.Epoch],
    dataset: Dataset,
) -> Iterator[Check]:
    tta = records.read_tta(folder)
    if tta:
        yield equal("tta.json weights_sha256", tta.weights_sha256, result.weights_sha256)
        yield equal("tta.json views", tta.views, len(VIEW_WEIGHTS))
        yield equal("tta.json test_images", tta.test_images, len(dataset.test.labels))
        share = tta.test_correct / len(dataset.test.labels)
        yield close("tta.json test_accuracy", tta.test_accuracy, share, DIGITS)
    present = [n for n in (records.WEIGHTS, records.HALF_WEIGHTS) if (folder / n).exists()]
    if not present:
        yield Check("figures again", "absent", "no figure was recomputed: the weights are absent")
        return
    if reason := why_refused(run.recipe.model.name):
        yield Check("figures again", "absent", reason)
        return
    for name in present:
        try:
            model = load_network(folder, run, folder / name)
        except RunError as error:
            yield Check("figures again", "FAILS", str(error))
            continue
        if name == records.HALF_WEIGHTS:
            yield from half_checks(folder, model, run, result, tta, dataset)
        else:
            yield from _exact_checks(model, run, result, rows, tta, dataset)
        if name == present[0]:
            yield from size_checks(model, run, result)


def _exact_checks(
    model: keras.Model,
    run: records.Run,
    result: records.Result,
    rows: list[records.Epoch],
    tta: records.Tta | None,
    dataset: Dataset,
) -> Iterator[Check]:
    if rows:
        exact, last = same_machine(run.finish), rows[-1]
        stated = {
            "result.json test_correct": result.test_correct,
            "history.csv test_accuracy": last.test_accuracy,
            "result.json test_loss": result.test_loss,
            "history.csv test_loss": last.test_loss,
        }
        logits = plain_logits(model, run, dataset)
        yield from evaluation_checks(logits, dataset.test.labels, run, stated, exact)
        if (held := dataset.validation) and result.validation:
            stated = {
                "result.json validation.correct": result.validation.correct,
                "history.csv validation_accuracy": last.validation_accuracy,
                "result.json validation.loss": result.validation.loss,
                "history.csv validation_loss": last.validation_loss,
            }
            logits = plain_logits(model, run, dataset, held)
            yield from evaluation_checks(logits, held.labels, run, stated, exact)
    if tta:
        averaged = averaged_logits(model, run, dataset)
        name = "tta.json test_correct again"
        near = None if same_machine(run.evaluation) else NEAR[run.recipe.precision]
        yield count_check(name, tta.test_correct, averaged, dataset.test.labels, near)

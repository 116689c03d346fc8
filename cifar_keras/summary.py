"""Compute a run's figures from its history, and compare them with its result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cifar_keras import records
from cifar_keras.recipe import flat
from cifar_keras.schedules import Pace, is_tested, tested_epochs

# history.csv has nine digits; accuracies are float32.
_DIGITS = 1e-6


def summary(
    rows: Sequence[records.Epoch], test_images: int, validation_images: int = 0
) -> dict[str, Any]:
    """Return the figures of result.json that follow from the history.

    The last row must be tested. The best epoch is the best of the tested ones.
    """
    tests = [row.test_accuracy for row in rows if row.test_accuracy is not None]
    best = next(row for row in rows if row.test_accuracy == max(tests))
    test_loss = rows[-1].test_loss
    best_on_test = records.BestOnTest(test_accuracy=max(tests), epoch=best.epoch)
    if len(tests) < len(rows):
        note = f"{best_on_test.note}, of {len(tests)} tested epochs"
        best_on_test = best_on_test.model_copy(update={"note": note})
    return {
        "test_accuracy": tests[-1],
        "test_correct": round(tests[-1] * test_images),
        "test_images": test_images,
        "test_loss": test_loss if test_loss is not None and math.isfinite(test_loss) else None,
        "epochs": rows[-1].epoch,
        "steps": sum(max(r.step for r in rows if r.stage == s) for s in {r.stage for r in rows}),
        "best_on_test": best_on_test,
        "seconds": sum(row.seconds for row in rows),
        "images_per_second": sum(row.images_per_second for row in rows) / len(rows),
        **_validation(rows, validation_images),
    }


def _validation(rows: Sequence[records.Epoch], images: int) -> dict[str, records.Validation]:
    """Return the validation figures; empty without held-out images, or if an epoch lacks them."""
    accuracies = [each for row in rows if (each := row.validation_accuracy) is not None]
    loss = rows[-1].validation_loss
    if not images or len(accuracies) < len(rows) or loss is None:
        return {}
    best = accuracies.index(max(accuracies))
    validation = records.Validation(
        accuracy=accuracies[-1],
        correct=round(accuracies[-1] * images),
        images=images,
        loss=loss if math.isfinite(loss) else None,
        best=records.BestByValidation(
            test_accuracy=rows[best].test_accuracy,
            accuracy=accuracies[best],
            epoch=rows[best].epoch,
        ),
    )
    return {"validation": validation}


def flat_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of `summary` or of a result by dotted keys, without notes."""
    trees = {k: v.model_dump() if isinstance(v, records.Record) else v for k, v in figures.items()}
    return {key: value for key, value in flat(trees).items() if not key.endswith(".note")}


def why_unfinished(
    run: records.Run, rows: Sequence[records.Epoch], result: records.Result
) -> str | None:
    """Return why the history is incomplete or contradicts the result; None if neither is so.

    The history must have a row for every epoch of the recipe at the run's budget and agree with the
    result. This needs neither data nor network; `verify` checks more.
    """
    if not rows:
        return "its history has no rows"
    # Without the data, the number of steps per epoch is not known.
    per_epoch = max(1, round(rows[0].step / rows[0].epoch))
    pace = Pace(per_epoch, run.budget)
    steps = [pace.step_of(stage.epochs) for stage in run.recipe.stages]
    epochs = sum(-(-each // per_epoch) for each in steps)
    if len(rows) != epochs:
        return f"its history has {len(rows)} rows, its recipe {epochs} epochs"
    places = tested_epochs(steps, per_epoch)
    for line, (row, place) in enumerate(zip(rows, places, strict=True), start=2):
        if row.place != place:
            return f"line {line} of its history is not an epoch of its recipe"
    for line, row in enumerate(rows, start=2):
        if (row.test_accuracy is not None) != is_tested(line - 1, epochs, run.test_every):
            wrong = "not tested" if row.test_accuracy is None else "tested"
            return f"line {line} of its history is {wrong}, and test_every is {run.test_every}"
    images = run.recipe.data.validation
    if any((row.validation_accuracy is None) == bool(images) for row in rows):
        return f"its history {'lacks' if images else 'has'} validation figures"
    stated = flat_figures(dict(result))
    for key, found in flat_figures(summary(rows, result.test_images, images)).items():
        if not _same(stated.get(key), found):
            return f"{key} is {stated.get(key)} in its result, {found} in its history"
    return None


def _same(stated: float | None, found: float | None) -> bool:
    if stated is None or found is None:
        return stated is found
    return math.isclose(stated, found, rel_tol=_DIGITS)

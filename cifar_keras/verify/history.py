"""Check history.csv against the recipe's plan, and result.json against history.csv."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import isclose

from cifar_keras import records
from cifar_keras.experiment.stages import Plan
from cifar_keras.schedules import is_tested, tested_epochs
from cifar_keras.summary import flat_figures, summary
from cifar_keras.verify.check import Check, close, equal

# history.csv has nine digits, and learning rates and accuracies are float32.
DIGITS = 1e-6


def history_checks(
    run: records.Run,
    rows: Sequence[records.Epoch],
    train_images: int,
    test_images: int,
    finished: bool,
) -> Iterator[Check]:
    """Check each row's position, learning rate and accuracies.

    They are compared with the recipe and the number of images. A finished run must have a row for
    every epoch of the recipe. The tested epochs must be those that the run's `test_every` names.
    """
    plan = Plan(run.recipe, train_images, run.budget)
    if len(rows) > plan.epochs or (finished and len(rows) < plan.epochs):
        yield Check("history.csv rows", "FAILS", f"{len(rows)}, the recipe has {plan.epochs}")
    else:
        places = tested_epochs([stage.steps for stage in plan.stages], plan.pace.per_epoch)
        good = [row.place == place for row, place in zip(rows, places, strict=False)]
        yield _lines("rows", good, f"{len(rows)} of {plan.epochs} epochs")
    rates = [_rate(plan, row) for row in rows]
    good = [
        rate is not None and isclose(row.learning_rate, rate, rel_tol=DIGITS)
        for row, rate in zip(rows, rates, strict=True)
    ]
    yield _lines("learning_rate", good, "the recipe's")
    counts = [(row.test_accuracy or 0) * test_images for row in rows]
    good = [abs(count - round(count)) < 0.01 for count in counts]
    yield _lines("test_accuracy", good, f"whole numbers of {test_images:,} images")
    if run.test_every != 1 or any(row.test_accuracy is None for row in rows):
        good = [
            (row.test_accuracy is not None) == is_tested(number, plan.epochs, run.test_every)
            for number, row in enumerate(rows, start=1)
        ]
        yield _lines("tests", good, "after the epochs that run.json names")
    yield from _validation_checks(rows, run.recipe.data.validation)


def _validation_checks(rows: Sequence[records.Epoch], images: int) -> Iterator[Check]:
    accuracies = [row.validation_accuracy for row in rows]
    if images:
        # A missing accuracy counts as 0.5 images, which is not a whole number.
        counts = [0.5 if each is None else each * images for each in accuracies]
        good = [abs(count - round(count)) < 0.01 for count in counts]
        yield _lines("validation_accuracy", good, f"whole numbers of {images:,} images")
    elif any(accuracy is not None for accuracy in accuracies):
        yield Check("history.csv validation_accuracy", "FAILS", "its recipe holds out no images")


def _rate(plan: Plan, row: records.Epoch) -> float | None:
    """Return the learning rate of the row's last step."""
    if not 1 <= row.stage <= len(plan.stages):
        return None
    return plan.stages[row.stage - 1].rate(row.step - 1)


def _lines(name: str, good: Sequence[bool], note: str) -> Check:
    # The header is line 1.
    bad = [str(line) for line, holds in enumerate(good, start=2) if not holds]
    if not bad:
        return Check(f"history.csv {name}", "holds", note)
    many = f"lines {', '.join(bad[:5])}" if len(bad) > 1 else f"line {bad[0]}"
    return Check(f"history.csv {name}", "FAILS", f"not {note}: {many}")


def result_checks(
    result: records.Result,
    rows: Sequence[records.Epoch],
    test_images: int,
    validation_images: int,
) -> Iterator[Check]:
    """Check the figures of result.json that can be computed from history.csv."""
    if not rows or rows[-1].test_accuracy is None:
        lacks = "no test of the last epoch" if rows else "no rows"
        yield Check("result.json", "FAILS", f"history.csv has {lacks}")
        return
    stated = flat_figures(dict(result))
    found = flat_figures(summary(rows, test_images, validation_images))
    for key, value in found.items():
        judge = equal if key.endswith("images") else partial(close, tolerance=DIGITS)
        yield judge(f"result.json {key}", stated.get(key), value)
    for key in (key for key in stated if "." in key and key not in found):
        yield Check(f"result.json {key}", "FAILS", "history.csv has no such figure")
    yield Check("result.json peak_memory_mib", "not checkable", "measured during the run")

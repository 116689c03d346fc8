"""Figures and tables as text: the same words in every file of the report."""

import re
from collections.abc import Sequence

from cifar_keras.recipe import Reference
from cifar_keras.report.results import Row
from cifar_keras.report.samples import DASH
from cifar_keras.report.values import Values

MARKS = (
    "[mem]: from memory of the source, not seen in it. [inf]: inferred, no source states it. "
    "[dig]: read off a plot. [calc]: calculated here.\n"
)


# What Markdown or HTML could begin with inside a line. Not `_`: it is part of names, and inside of
# words it means nothing. Not `|`: it means something in tables alone, and is escaped there.
_MARKUP = re.compile(r"[\\`*<>&~#$\[\]]")


def line(words: object) -> str:
    """Return what a recipe or a run says as one line of printable text."""
    return "".join(filter(str.isprintable, " ".join(str(words).split())))


def escaped(words: object) -> str:
    """Return what a recipe or a run says as Markdown that shows just this, on one line."""
    return _MARKUP.sub(r"\\\g<0>", line(words))


def code(words: object) -> str:
    """Return what a recipe or a run says between backticks, on one line."""
    return f"`{line(words).replace('`', chr(39))}`"


def markdown_table(head: list[str], body: list[list[str]], right: Sequence[int]) -> str:
    """An aligned table; the columns in `right` are flush right."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in [head, *body]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rule = ["-" * (w - 1) + ":" if i in right else "-" * w for i, w in enumerate(widths)]
    places = [">" if i in right else "<" for i in range(len(head))]
    lines = [
        [f"{cell:{place}{width}}" for cell, place, width in zip(row, places, widths, strict=True)]
        for row in rows
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], rule, *lines[1:]])


def count(number: int, thing: str) -> str:
    """1 run, 2 runs."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def number(value: float | None, form: str = ".2f") -> str:
    """The number, or a dash where there is none."""
    return DASH if value is None else format(value, form)


def signed(points: float | None) -> str:
    """Points with their sign; nothing is +0.00."""
    # Adding 0 turns a rounded -0.0 into 0.0.
    return DASH if points is None else f"{round(points, 2) + 0:+.2f}"


def spread(values: Values) -> str:
    """Mean ± sample deviation (number of runs); one run has no deviation."""
    if values.mean is None:
        return DASH
    deviation = "" if values.deviation is None else f" ± {values.deviation:.2f}"
    return f"{values.mean:.2f}{deviation} ({values.count})"


def extent(values: Values) -> str:
    """The smallest and the largest; one figure alone is a dash: it is the mean."""
    if values.count < 2:
        return DASH
    return f"{values.smallest:.2f} to {values.largest:.2f}"


def published(reference: Reference | None) -> str:
    """The published figure in percent, and what it is, with its marks."""
    if reference is None:
        return DASH
    marks = {key: " [inf]" for key in reference.inferred}
    figure = f"{reference.accuracy:.2f}{marks.get('accuracy', '')}"
    figure += "" if reference.verified else " [mem]"
    runs = count(reference.runs, "run")
    if reference.statistic != "single":
        runs = f"{reference.statistic} of {runs}"
    epoch = reference.epoch + marks.get("epoch", "")
    augmented = ", augmented at test" if reference.augmented else ""
    return f"{figure} ({epoch}, {runs}{marks.get('runs', '')}{augmented})"


def epochs(row: Row) -> str:
    """The epochs trained, of how many, and the budget where it is not the whole."""
    text = f"{row.epochs:.4g}"
    if row.length_differs:
        text += f" of {row.full_epochs:.4g}"
    return text if row.budget == "1" else f"{text} (budget {row.budget})"


def seconds_per_epoch(row: Row) -> str:
    """Mean seconds an epoch, its test included."""
    return DASH if row.seconds is None else f"{row.seconds / row.epochs:.3g}"


def title(row: Row) -> str:
    """The recipe's name, its precision, and in what its runs are not the recipe."""
    budget = f", budget {row.budget}" if row.budget != "1" else ""
    return f"{row.label}{budget}{f', {row.note}' if row.note else ''}"

"""Format figures and tables, with the same wording in every file of the report."""

import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any

import pandas as pd

from cifar_keras.listing import counted
from cifar_keras.recipe import Reference
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.verdict import verdict

MARKS = (
    "[mem]: from memory of the source, not seen in it. [inf]: inferred, no source states it. "
    "[dig]: read off a plot. [calc]: calculated here.\n"
)

# The characters that can start Markdown or HTML markup within a line. Not `_`, which is part of
# names and means nothing within words, nor `|`, which is markup only in tables and escaped there.
_MARKUP = re.compile(r"[\\`*<>&~#$\[\]]")

# The headings of columns without figures.
WORDS = (
    *("recipe", "title", "system", "source of the published", "what differs", "data", "verdict"),
    *("hardware", "folder", "weights", "revision", "TensorFlow", "Keras", "started"),
)

# A heading, and the function that returns the cell of a row or run.
Column = tuple[str, Callable[[Any], str]]


def template(name: str) -> str:
    """Return a file of templates/, with its fields in braces."""
    return (files("cifar_keras.report") / "templates" / name).read_text(encoding="utf-8")


def line(words: object) -> str:
    """Return text from a recipe or a run as one printable line."""
    return "".join(filter(str.isprintable, " ".join(str(words).split())))


def escaped(words: object) -> str:
    """Return text from a recipe or a run as one line of Markdown, escaped."""
    return _MARKUP.sub(r"\\\g<0>", line(words))


def code(words: object) -> str:
    """Return text from a recipe or a run between backticks, on one line."""
    return f"`{line(words).replace('`', chr(39))}`"


def markdown_table(
    columns: Sequence[Column],
    rows: Iterable[Any],
    more: Iterable[Sequence[str]] = (),
    words: Iterable[str] = (),
) -> str:
    """Return an aligned Markdown table of `rows` and, below them, the ready cells of `more`.

    Columns without figures, whose headings are in `WORDS` or `words`, are left-aligned.
    """
    head = [heading for heading, _ in columns]
    body = [[cell(row) for _, cell in columns] for row in rows]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in [head, *body, *more]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    places = ["<" if heading in {*WORDS, *words} else ">" for heading in head]
    rule = [
        "-" * (w - (at == ">")) + ":" * (at == ">") for w, at in zip(widths, places, strict=True)
    ]
    lines = [
        [f"{cell:{at}{width}}" for cell, at, width in zip(row, places, widths, strict=True)]
        for row in cells
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], rule, *lines[1:]])


def number(value: float | None, form: str = ".2f") -> str:
    """Return the number, or a dash for None or NaN."""
    return DASH if value is None or pd.isna(value) else format(value, form)


def signed(points: float | None) -> str:
    """Return points with their sign; zero is +0.00."""
    # Adding 0 turns a rounded -0.0 into 0.0.
    return number(None if points is None else round(points, 2) + 0, "+.2f")


def spread(values: "pd.Series[float]") -> str:
    """Return mean ± sample deviation (number of runs); one run has no deviation."""
    count = values.count()
    if not count:
        return DASH
    deviation = f" ± {values.std():.2f}" if count > 1 else ""
    return f"{values.mean():.2f}{deviation} ({count})"


def extent(values: "pd.Series[float]") -> str:
    """Return the smallest and the largest figure; a dash for a single one."""
    return f"{values.min():.2f} to {values.max():.2f}" if values.count() > 1 else DASH


def published(reference: Reference | None) -> str:
    """Return the published figure in percent, its marks, and what it measures."""
    if reference is None:
        return DASH
    marks = {key: " [inf]" for key in reference.inferred}
    figure = f"{reference.accuracy:.2f}{marks.get('accuracy', '')}"
    figure += "" if reference.verified else " [mem]"
    runs = counted(reference.runs, "run")
    if reference.statistic != "single":
        runs = f"{reference.statistic} of {runs}"
    epoch = reference.epoch + marks.get("epoch", "")
    augmented = ", with TTA" if reference.augmented else ""
    return f"{figure} ({epoch}, {runs}{marks.get('runs', '')}{augmented})"


def epochs(row: Row) -> str:
    """Return the epochs trained, of how many, and the budget unless it is 1."""
    text = f"{row.epochs:.4g}"
    if row.length_differs:
        text += f" of {row.full_epochs:.4g}"
    return text if row.budget == "1" else f"{text} (budget {row.budget})"


def title(row: Row) -> str:
    """Return the recipe's name, its precision, and how its runs differ from the recipe."""
    budget = f", budget {row.budget}" if row.budget != "1" else ""
    return f"{row.label}{budget}{f', {row.note}' if row.note else ''}"


# Columns that several tables share, by heading.
_COLUMNS: dict[str, Callable[[Row], str]] = {
    "recipe": lambda row: row.label,
    "what differs": lambda row: escaped(row.note or "length"),
    "data": lambda row: row.dataset,
    "published, %": lambda row: published(row.recipe.reference),
    "ours, %": lambda row: spread(row.runs["accuracy"]),
    "with TTA, %": lambda row: spread(row.runs["augmented"]),
    "difference": lambda row: signed(verdict(row).difference),
    "verdict": lambda row: verdict(row).text,
    "epochs": epochs,
    "s/epoch": lambda row: number(row.seconds_per_epoch, ".3g"),
    "hardware": lambda row: escaped(row.hardware),
}


def column(heading: str, shown_as: str | None = None) -> Column:
    """Return one of the shared columns, under its own heading or another."""
    return shown_as or heading, _COLUMNS[heading]


_UNFINISHED: list[Column] = [
    ("folder", lambda pair: escaped(pair[1].folder)),
    ("recipe", lambda pair: pair[0].label),
    ("what differs", lambda pair: escaped(pair[0].note) or _length(pair[0])),
    ("seed", lambda pair: str(pair[1].run.seed)),
    ("epoch", lambda pair: pair[1].epochs),
    ("test accuracy so far, %", lambda pair: number(pair[1].accuracy)),
    ("last event", lambda pair: pair[1].last_event),
    ("started", lambda pair: escaped(pair[1].run.started)),
]


_VALIDATION: list[Column] = [
    ("recipe", lambda row: row.label),
    ("what differs", lambda row: escaped(row.note)),
    ("validation, %", lambda row: spread(row.runs["validation"])),
    ("test, last epoch, %", lambda row: spread(row.runs["accuracy"])),
    ("test, epoch chosen by validation, %", lambda row: spread(row.runs["by_validation"])),
]


def validation_table(rows: Sequence[Row]) -> str:
    """Return the rows with validation figures as a table; empty if there are none."""
    held = [row for row in rows if row.runs["validation"].count()]
    return markdown_table(_VALIDATION, held) if held else ""


def _length(row: Row) -> str:
    return "length" if row.length_differs else DASH


def unfinished_table(rows: Sequence[Row]) -> str:
    """Return the unfinished runs of these rows as a table; empty if there are none."""
    pairs = [(row, each) for row in rows for each in row.unfinished]
    return markdown_table(_UNFINISHED, pairs, words=["last event"]) if pairs else ""


def columns(*headings: str) -> list[Column]:
    """Return several of the shared columns."""
    return [column(heading) for heading in headings]

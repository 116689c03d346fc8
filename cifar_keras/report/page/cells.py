"""The table of index.html: the cells of each column as HTML, and their sort keys."""

from collections.abc import Callable
from html import escape
from math import isnan
from typing import NamedTuple
from urllib.parse import quote

import pandas as pd

from cifar_keras.report import text
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.systems import SYSTEMS
from cifar_keras.report.verdict import verdict


class _Column(NamedTuple):
    """A column: its cells as HTML, and the values to sort by if not their text.

    `wide` columns are hidden on phones.
    """

    heading: str
    cell: Callable[[Row], str]
    value: Callable[[Row], float | None] | None = None
    wide: bool = True

    @property
    def classes(self) -> str:
        return " ".join(["number"] * (self.value is not None) + ["wide"] * self.wide)


def table_head(validation: bool = False) -> str:
    """Return the header cells, with or without the columns of validation."""
    return "".join(
        f'<th scope="col" class="{column.classes}">'
        f'<button type="button">{escape(column.heading)}</button></th>'
        for column in _columns(validation)
    )


def table_row(row: Row, validation: bool = False) -> str:
    """Return a row of the table; its recipe is a link that shows its curves."""
    head, *columns = _columns(validation)
    cells = "".join(_cell(column, row) for column in columns)
    kind = "not-run" if row.runs.empty and not row.unfinished else "run"
    return (
        f'<tr class="{kind}" data-chart="{escape(row.slug)}" '
        f'title="{escape(row.recipe.title)}"><th scope="row">{head.cell(row)}</th>{cells}</tr>'
    )


def _columns(validation: bool) -> list[_Column]:
    return [column for column in _COLUMNS if validation or column not in _VALIDATION]


def _cell(column: _Column, row: Row) -> str:
    value = column.value(row) if column.value else None
    key = "" if value is None or isnan(value) else f' data-value="{value:.6g}"'
    kind = f' class="{column.classes}"' if column.classes else ""
    return f"<td{kind}{key}>{column.cell(row)}</td>"


def _recipe(row: Row) -> str:
    name = escape(text.title(row)).replace("_", "_<wbr>")
    return f'<a href="#{quote(row.slug)}">{name}</a>'


def _system(row: Row) -> str:
    key = row.recipe.system
    if key not in SYSTEMS:
        return escape(key)
    link = f'<a href="system_{key.lower()}.md">{escape(SYSTEMS[key].name)}</a>'
    return link + _small(f"system {key}")


def _data(row: Row) -> str:
    name, _, note = row.dataset.partition(" ")
    return escape(name) + _small(note.strip("()"))


def _published(row: Row) -> str:
    if row.recipe.reference is None:
        return _quiet("nothing published")
    figure, _, what = text.published(row.recipe.reference).partition(" (")
    return escape(_together(figure)) + _small(what.removesuffix(")"))


def _compared(row: Row) -> str:
    """Return our figure to compare with the published one, and what it measures."""
    if row.runs.empty and row.unfinished:
        return _quiet("unfinished") + "".join(map(_small, _so_far(row)))
    if row.runs.empty:
        return _quiet("not run")
    reference = row.recipe.reference
    if not row.compared.count():
        return _figure(row.runs["accuracy"], "last epoch; not yet measured with TTA")
    if reference and reference.augmented:
        return _figure(row.compared, "with TTA")
    return _figure(row.compared, f"{reference.epoch if reference else 'last'} epoch")


def _so_far(row: Row) -> list[str]:
    return [f"seed {each.run.seed}: epoch {each.epochs}" for each in row.unfinished]


def _difference(row: Row) -> str:
    found = verdict(row)
    if found.difference is None or found.margin is None:
        return text.signed(found.difference)
    kind = "band" if "band" in found.kind else "margin"
    return text.signed(found.difference) + _small(_together(f"{kind} {found.margin:.2f}"))


def _verdict(row: Row) -> str:
    if row.recipe.reference is None or row.runs.empty:
        # The columns before this one show why.
        return DASH
    found = verdict(row)
    words = found.text.replace("no verdict", "not judged")
    # On wide screens, the difference has a column of its own.
    difference = f'<small class="narrow">difference {text.signed(found.difference)}</small>'
    narrow = "" if found.difference is None else difference
    return f'<span class="{found.kind.replace(" ", "-")}">{escape(words)}</span>{narrow}'


def _seconds(row: Row) -> str:
    """Return seconds per epoch with hardware and versions, on which times depend."""
    if row.runs.empty:
        return DASH
    made_by = {
        f"cifar_keras {versions['cifar_keras']}, TensorFlow {versions['tensorflow']}"
        for versions in row.runs["versions"]
    }
    where = f"{row.hardware}, {'; '.join(sorted(made_by))}"
    return text.number(row.seconds_per_epoch, ".3g") + _small(text.line(where))


def _figure(values: "pd.Series[float]", *what: str) -> str:
    figure, _, spread = text.spread(values).partition(" ")
    return figure + _small(_together(spread)) + "".join(map(_small, what))


def _measured(values: "pd.Series[float]") -> str:
    return _figure(values, *([_together(text.extent(values))] if values.count() > 1 else []))


def _together(words: str) -> str:
    """Return words with non-breaking spaces."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def _small(words: str) -> str:
    return f"<small>{escape(words)}</small>" if words else ""


def _quiet(words: str) -> str:
    return f'<span class="quiet">{words}</span>'


def _shown(row: Row) -> "pd.Series[float]":
    return row.compared if row.compared.count() else row.runs["accuracy"]


def _mean(heading: str, figure: str) -> _Column:
    """Return the column of a figure's mean over the runs, which it is sorted by."""
    return _Column(
        heading, lambda row: _measured(row.runs[figure]), lambda row: row.runs[figure].mean()
    )


_VALIDATION = (
    _mean("validation, %", "validation"),
    _mean("ours, epoch chosen by validation, %", "by_validation"),
)
_COLUMNS = (
    _Column("recipe", _recipe, wide=False),
    _Column("system", _system),
    _Column("data", _data),
    _Column(
        "published, %",
        _published,
        lambda row: row.recipe.reference.accuracy if row.recipe.reference else None,
        wide=False,
    ),
    _Column("ours, as compared, %", _compared, lambda row: _shown(row).mean(), wide=False),
    _Column("difference", _difference, lambda row: verdict(row).difference),
    _Column("verdict", _verdict, wide=False),
    _mean("ours, last epoch, %", "accuracy"),
    _mean("ours, with TTA, %", "augmented"),
    *_VALIDATION,
    _Column("epochs", lambda row: text.epochs(row).partition(" (")[0], lambda row: row.epochs),
    _Column("s/epoch", _seconds, lambda row: row.seconds_per_epoch),
)

"""index.html: the comparison and every curve in one file that asks nothing of the network.

The charts are uPlot's (version 1.6.32, MIT, `uPlot.LICENSE`), 51 kB, which the file carries along.
"""

import json
import re
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from math import isnan
from typing import Any, NamedTuple

import pandas as pd

from cifar_keras.report import text
from cifar_keras.report.results import Row
from cifar_keras.report.series import mean_of, series
from cifar_keras.report.verdict import verdict


class _Column(NamedTuple):
    """Its heading, cells, what it sorts by if not by its text, and whether a phone has room."""

    name: str
    cell: Callable[[Row], str]
    value: Callable[[Row], float | None] | None = None
    narrow: bool = False

    @property
    def kind(self) -> str:
        """Its classes in the page's style."""
        return " ".join(["number"] * bool(self.value) + ["wide"] * (not self.narrow))


def _accuracy(row: Row) -> float | None:
    return row.recipe.reference.accuracy if row.recipe.reference else None


_COLUMNS = (
    _Column("recipe", text.title, narrow=True),
    _Column("system", lambda row: row.recipe.system),
    _Column(*text.column("data")),
    _Column(*text.column("published, %"), _accuracy, narrow=True),
    _Column(
        *text.column("ours, %", "ours, last epoch, %"),
        lambda row: row.runs["accuracy"].mean(),
        narrow=True,
    ),
    _Column(*text.column("smallest to largest"), lambda row: row.runs["accuracy"].min()),
    _Column(*text.column("augmented at test, %"), lambda row: row.runs["augmented"].mean()),
    _Column(*text.column("difference"), lambda row: verdict(row).difference),
    _Column(*text.column("verdict"), narrow=True),
    _Column("epochs", lambda row: text.epochs(row).partition(" (")[0], lambda row: row.epochs),
    _Column(*text.column("s/epoch"), lambda row: row.seconds_per_epoch),
)


def index_html(rows: Sequence[Row]) -> str:
    """Return the page; rows with runs come first, and the same rows give the same text."""
    ordered = sorted(rows, key=lambda row: row.runs.empty)
    parts = {
        "style": _asset("uPlot.min.css") + _asset("page.css"),
        "licence": escape(_asset("uPlot.LICENSE")),
        "library": _asset("uPlot.iife.min.js"),
        "script": _asset("page.js"),
        "summary": escape(_summary(rows)),
        "marks": escape(text.MARKS),
        "head": "".join(_heading(column) for column in _COLUMNS),
        "only": " checked" if any(not row.runs.empty for row in rows) else "",
        "body": "\n".join(_line(row) for row in ordered),
        "data": _data(ordered),
    }
    # In one pass: what is filled in may hold such a mark itself.
    return re.sub(r"%(\w+)%", lambda mark: parts[mark[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _summary(rows: Sequence[Row]) -> str:
    full = [row for row in rows if row.full]
    runs = text.count(sum(len(row.runs) for row in full), "full run")
    other = text.count(sum(len(row.runs) for row in rows if not row.full), "scaled or altered")
    return f"{text.count(len({row.name for row in full}), 'recipe')}, {runs}, {other}."


def _heading(column: _Column) -> str:
    button = f'<button type="button">{escape(column.name)}</button>'
    return f'<th scope="col" class="{column.kind}">{button}</th>'


def _line(row: Row) -> str:
    cells = "".join(_cell(column, row) for column in _COLUMNS)
    ran = "not-run" if row.runs.empty else "run"
    slug, title = escape(row.slug), escape(row.recipe.title)
    return f'<tr class="{ran}" data-chart="{slug}" title="{title}">{cells}</tr>'


def _cell(column: _Column, row: Row) -> str:
    name, kind, content = column.name, column.kind, escape(column.cell(row))
    value = column.value(row) if column.value else None
    key = "" if value is None or isnan(value) else f' data-value="{value:.6g}"'
    if name == "recipe":
        content = content.replace("_", "_<wbr>")
    if name.startswith(("published", "ours", "augmented")) and " " in content:
        # What the figure is, on a line of its own.
        content = content.replace(" [mem]", "&nbsp;[mem]")
        figure, _, what = content.partition(" ")
        content = f"{figure}<small>{what}</small>"
    if name == "verdict":
        kind = f"{kind} {verdict(row).kind.replace(' ', '-')}".strip()
        content = f"<span>{content}</span>"
    tag = 'th scope="row"' if name == "recipe" else "td"
    return f'<{tag} class="{kind}"{key}>{content}</{tag[:2]}>'


def _data(rows: Sequence[Row]) -> str:
    charts = [_chart(row) for row in rows]
    kept = [chart for chart in charts if chart["runs"] or chart["published"]]
    data = json.dumps(kept, separators=(",", ":"), ensure_ascii=False)
    # `<` would end the element that holds it; the others end a line in older JavaScript.
    return re.sub("[<\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", data)


def _chart(row: Row) -> dict[str, Any]:
    lines = series(row)
    ours, theirs = (row.epochs, row.full_epochs) if lines.share else (1.0, 1.0)
    runs = [
        {"seed": seed, "test": _points(lines.test[run], ours), "train": _points(train, ours)}
        for seed, (run, train) in zip(row.runs["seed"], lines.train.items(), strict=True)
    ]
    means = {
        "test": _points(mean_of(lines.test), ours),
        "train": _points(mean_of(lines.train), ours),
    }
    return {
        "id": row.slug,
        "name": text.title(row),
        "epochs": row.epochs,
        "full": row.full_epochs,
        "steps": [round(ours * step, 3) for step in lines.steps],
        "runs": runs,
        "mean": means if len(runs) > 1 else None,
        "published": _points(lines.published, theirs),
    }


def _points(line: "pd.Series[float]", scale: float) -> list[list[float]] | None:
    line = line.dropna()
    if line.empty:
        return None
    return [[round(scale * x, 3) for x in line.index], [round(y, 2) for y in line]]

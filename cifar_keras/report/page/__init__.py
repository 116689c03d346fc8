"""index.html: the comparison and every curve in one file that asks nothing of the network.

The charts are uPlot's (version 1.6.32, MIT, `uPlot.LICENSE`), 51 kB, which the file carries along.
"""

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from cifar_keras.report import text
from cifar_keras.report.results import Row
from cifar_keras.report.series import Line, series
from cifar_keras.report.verdict import verdict

# Heading, whether it sorts by number, whether a phone has room for it.
_COLUMNS = (
    ("recipe", False, True),
    ("system", False, False),
    ("data", False, False),
    ("published, %", True, True),
    ("ours, last epoch, %", True, True),
    ("smallest to largest", True, False),
    ("augmented at test, %", True, False),
    ("difference", True, False),
    ("verdict", False, True),
    ("epochs", True, False),
    ("s/epoch", True, False),
)


def index_html(rows: Sequence[Row]) -> str:
    """The page; rows with runs come first, and the same rows give the same text."""
    ordered = sorted(rows, key=lambda row: not row.samples)
    parts = {
        "style": _asset("uPlot.min.css") + _asset("page.css"),
        "licence": escape(_asset("uPlot.LICENSE")),
        "library": _asset("uPlot.iife.min.js"),
        "script": _asset("page.js"),
        "summary": escape(_summary(rows)),
        "marks": escape(text.MARKS),
        "head": "".join(_heading(*column) for column in _COLUMNS),
        "only": " checked" if any(row.samples for row in rows) else "",
        "body": "\n".join(_line(row) for row in ordered),
        "data": _data(ordered),
    }
    # In one pass: what is filled in may hold such a mark itself.
    return re.sub(r"%(\w+)%", lambda mark: parts[mark[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _summary(rows: Sequence[Row]) -> str:
    full = [row for row in rows if row.full]
    runs = text.count(sum(len(row.samples) for row in full), "full run")
    other = text.count(sum(len(row.samples) for row in rows if not row.full), "scaled or altered")
    return f"{text.count(len({row.name for row in full}), 'recipe')}, {runs}, {other}."


def _heading(name: str, numeric: bool, narrow: bool) -> str:
    kind = " ".join(["number"] * numeric + ["wide"] * (not narrow))
    return f'<th scope="col" class="{kind}"><button type="button">{escape(name)}</button></th>'


def _line(row: Row) -> str:
    reference, found = row.recipe.reference, verdict(row)
    cells: list[tuple[str, Any]] = [
        (text.title(row), None),
        (row.recipe.system, None),
        (row.dataset, None),
        (text.published(reference), reference and reference.accuracy),
        (text.spread(row.last), row.last.mean),
        (text.extent(row.last), row.last.smallest),
        (text.spread(row.augmented), row.augmented.mean),
        (text.signed(found.difference), found.difference),
        (found.text, None),
        (text.epochs(row).partition(" (")[0], row.epochs),
        (text.seconds_per_epoch(row), row.seconds and row.seconds / row.epochs),
    ]
    line = []
    for (name, numeric, narrow), (cell, value) in zip(_COLUMNS, cells, strict=True):
        kind = " ".join(["number"] * numeric + ["wide"] * (not narrow))
        key = f' data-value="{value:.6g}"' if value is not None else ""
        content = escape(cell)
        if name == "recipe":
            content = content.replace("_", "_<wbr>")
        if name.startswith(("published", "ours", "augmented")) and " " in content:
            # What the figure is, on a line of its own.
            content = content.replace(" [mem]", "&nbsp;[mem]")
            figure, _, what = content.partition(" ")
            content = f"{figure}<small>{what}</small>"
        if name == "verdict":
            kind, content = f"{kind} {found.kind.replace(' ', '-')}", f"<span>{content}</span>"
        tag = 'th scope="row"' if name == "recipe" else "td"
        line.append(f'<{tag} class="{kind.strip()}"{key}>{content}</{tag[:2]}>')
    ran = "run" if row.samples else "not-run"
    slug, title = escape(row.slug), escape(row.recipe.title)
    return f'<tr class="{ran}" data-chart="{slug}" title="{title}">{"".join(line)}</tr>'


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
        {"seed": sample.run.seed, "test": _points(test, ours), "train": _points(train, ours)}
        for sample, test, train in zip(row.samples, lines.test, lines.train, strict=True)
    ]
    means = {"test": _points(lines.test_mean, ours), "train": _points(lines.train_mean, ours)}
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


def _points(line: Line, scale: float) -> list[list[float]] | None:
    if not line:
        return None
    return [[round(scale * x, 3) for x, _ in line], [round(y, 2) for _, y in line]]

"""Write index.html: the comparison and all curves in one file that works offline.

The file contains uPlot (version 1.6.32, MIT, `uPlot.LICENSE`, 51 kB), which draws the charts.
"""

import json
import re
from collections.abc import Collection, Sequence
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pandas as pd

from cifar_keras.listing import counted
from cifar_keras.report import text
from cifar_keras.report.cards import card_name
from cifar_keras.report.page.cells import table_head, table_row
from cifar_keras.report.page.sources import parts
from cifar_keras.report.results import Row
from cifar_keras.report.series import mean_of, series
from cifar_keras.report.systems import SYSTEMS


def index_html(rows: Sequence[Row], cards: Collection[str] = (), rule: str | None = None) -> str:
    """Return the page; rows with runs come first. The same rows give the same text.

    `cards` are the names of the model cards next to it; `rule` is the address of docs/verdict.md.
    """
    ordered = sorted(rows, key=lambda row: row.runs.empty)
    validation = any(row.runs["validation"].count() for row in rows)
    whole_rule = f'<a href="{escape(rule)}">docs/verdict.md</a>' if rule else "docs/verdict.md"
    filled = {
        "style": _asset("uPlot.min.css") + _asset("page.css"),
        "license": escape(_asset("uPlot.LICENSE")),
        "library": _asset("uPlot.iife.min.js"),
        "script": _asset("page.js"),
        "summary": escape(_summary(rows)),
        "marks": escape(text.MARKS),
        "rule": whole_rule,
        "systems": "\n".join(_systems(rows)),
        "head": table_head(validation),
        "only": " checked" if any(not row.runs.empty for row in rows) else "",
        "body": "\n".join(table_row(row, validation) for row in ordered),
        "data": _data(ordered, cards),
    }
    # Replace in one pass, as a value may contain a placeholder itself.
    return re.sub(r"%(\w+)%", lambda mark: filled[mark[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _summary(rows: Sequence[Row]) -> str:
    full = [row for row in rows if row.full]
    runs = counted(sum(len(row.runs) for row in full), "full run")
    other = sum(len(row.runs) for row in rows if not row.full)
    others = counted(other, "scaled or modified run")
    return f"{counted(len({row.name for row in full}), 'recipe')}, {runs}, {others}."


def _systems(rows: Sequence[Row]) -> list[str]:
    lines = []
    for key in sorted({row.recipe.system for row in rows} & SYSTEMS.keys()):
        system = SYSTEMS[key]
        name = f'<a href="system_{key.lower()}.md">{escape(system.name)}</a> (system {key})'
        lines.append(f"<li>{name}: {escape(system.title)}. {escape(system.words)}</li>")
    return lines


def _data(rows: Sequence[Row], cards: Collection[str]) -> str:
    facts = [_facts(row, cards) | _curves(row) for row in rows]
    data = json.dumps(facts, separators=(",", ":"), ensure_ascii=False)
    # `<` could end the script element; the others end a line in older JavaScript.
    return re.sub("[<\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", data)


def _facts(row: Row, cards: Collection[str]) -> dict[str, Any]:
    """Return what is shown below the chart: source and model cards."""
    reference = row.recipe.reference
    names = {run.seed: card_name(run.folder) for run in row.each}
    links = [(f"seed {seed}", f"cards/{quote(n)}") for seed, n in names.items() if n in cards]
    return {
        "id": row.slug,
        "name": text.title(row),
        "title": row.recipe.title,
        "source": list(parts(reference.source)) if reference else [],
        "cards": links,
    }


def _curves(row: Row) -> dict[str, Any]:
    """Return the curves of a row with runs or a published curve; empty for any other."""
    lines = series(row)
    if row.runs.empty and lines.published.empty and not lines.unfinished:
        return {}
    ours, theirs = (row.epochs, row.full_epochs) if lines.share else (1.0, 1.0)
    runs = [
        {"seed": seed, "test": _points(lines.test[run], ours), "train": _points(train, ours)}
        for seed, (run, train) in zip(row.runs["seed"], lines.train.items(), strict=True)
    ]
    means = {
        "test": _points(mean_of(lines.test), ours),
        "train": _points(mean_of(lines.train), ours),
    }
    begun = [
        {"seed": each.run.seed, "epoch": each.epochs, "test": _points(line, ours)}
        for each, line in zip(
            (e for e in row.unfinished if not e.errors.empty), lines.unfinished, strict=True
        )
    ]
    return {
        "epochs": _short(row.epochs),
        "full": _short(row.full_epochs),
        "steps": [_short(ours * step) for step in lines.steps],
        "runs": runs,
        "mean": means if len(runs) > 1 else None,
        "published": _points(lines.published, theirs),
        **({"unfinished": begun} if begun else {}),
    }


def _points(line: "pd.Series[float]", scale: float) -> list[list[float]] | None:
    line = line.dropna()
    if line.empty:
        return None
    return [[_short(scale * x) for x in line.index], [round(y, 2) for y in line]]


def _short(number: float) -> float:
    """Return the number with three decimals, and as an integer if it is whole."""
    rounded = round(number, 3)
    return int(rounded) if rounded == int(rounded) else rounded

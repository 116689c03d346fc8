"""Write one page per system: the original's figures next to ours, and the curves."""

import math
from collections.abc import Callable, Collection, Sequence

import pandas as pd

from cifar_keras.errors import RecipeError
from cifar_keras.report import text
from cifar_keras.report.finished import DASH
from cifar_keras.report.published import originals, published_curve
from cifar_keras.report.results import Row
from cifar_keras.report.series import series
from cifar_keras.report.systems import SYSTEMS, System


def _mean(values: "pd.Series[float]") -> str:
    return text.number(values.mean(), ",.0f")


# The quantities of originals.csv other than the accuracy, their headings, and ours.
_QUANTITIES: dict[str, tuple[str, Callable[[Row], str] | None]] = {
    "train_error": ("train error, %", lambda row: text.spread(row.runs["train_error"])),
    "memory_mib": ("peak memory, MiB", lambda row: _mean(row.runs["memory_mib"])),
    "seconds_per_epoch": text.column("s/epoch"),
    "seconds": ("s/run", lambda row: _mean(row.runs["seconds"])),
    "petaflop": ("PFLOP, original", None),
}
_SCALED = text.columns("recipe", "what differs", "ours, %", "epochs", "s/epoch", "hardware")
_ACCURACY = "published, %"

_BETWEEN = (
    "**Distance of the curves** is the mean absolute distance between our mean test error and the "
    "published one, counted after the last fall: from a learning-rate drop in the second half, or "
    "from half-way.\n"
)
_OTHERS = """\
## What else was published

Each cell is ours / the original's. Memory and times are from different hardware; the last column
names ours. Our memory is that of the whole process.
"""


def system_page(key: str, rows: Sequence[Row], pictures: Collection[str]) -> str:
    """Return the page of a system, from all rows and the file names of the curves."""
    system = SYSTEMS[key]
    own = [row for row in rows if row.recipe.system == key]
    full = [row for row in own if row.full]
    full += [row for row in rows if row.full and row.name in system.beside]
    full.sort(key=lambda row: row.recipe.reference is None)
    facts = originals().query("system == @key")
    parts = [
        *([_BETWEEN] if _has_both_curves(full) else []),
        *_others(system, full, facts),
        _sources(full, facts),
        *_scaled([row for row in own if row.counts and not row.full]),
        *_unfinished(own),
        *_figures(key, own, pictures),
    ]
    return text.template("system.md").format(
        key=key,
        system=system,
        table=_accuracies(system, full, facts),
        marks=text.MARKS,
        rest="\n".join(parts).rstrip("\n"),
    )


def _accuracies(system: System, rows: Sequence[Row], facts: pd.DataFrame) -> str:
    references = [row.recipe.reference for row in rows if row.recipe.reference]
    columns: list[text.Column] = [("recipe", lambda row: row.named(f"`{row.name}`"))]
    arguments = " / ".join(system.arguments)
    if arguments:
        columns.append((arguments, lambda row: _arguments(system, row)))
    columns.append(text.column("published, %", _ACCURACY))
    if any(row.curve for row in rows):
        columns.append(("published curve: last, best", _read_off))
    columns.append(text.column("ours, %"))
    if any(reference.augmented for reference in references):
        columns.append(text.column("with TTA, %", "ours with TTA, %"))
    if any(reference.epoch == "best" for reference in references):
        columns.append(("ours, best epoch, %", lambda row: text.spread(row.runs["best"])))
    columns.append(text.column("difference"))
    if _has_both_curves(rows):
        columns.append(("distance of the curves, points", _gap))
    columns.append(text.column("verdict"))
    others = facts[(facts["label"] != "") & (facts["quantity"] == "accuracy")]
    more = [
        [label, *(figure if heading == _ACCURACY else DASH for heading, _ in columns[1:])]
        for label, figure in zip(others["label"], others["marked"], strict=True)
    ]
    return text.markdown_table(columns, rows, more, [arguments])


def _others(system: System, rows: Sequence[Row], facts: pd.DataFrame) -> list[str]:
    """Return the other published figures next to ours; empty if there are none."""
    quantities = [key for key in _QUANTITIES if (facts["quantity"] == key).any()]
    if not quantities and not system.errors:
        return []
    columns: list[text.Column] = [("recipe", lambda row: row.named(f"`{row.name}`"))]
    if system.errors:
        columns.append(("test error, %", _errors))
    columns += [_next_to_ours(key, facts[facts["quantity"] == key]) for key in quantities]
    columns.append(text.column("hardware"))
    named = {*facts["recipe"]} | {
        row.name for row in rows if system.errors and row.recipe.reference
    }
    told = [row for row in rows if not row.runs.empty or row.name in named]
    more = []
    labeled = facts[(facts["label"] != "") & facts["quantity"].isin(quantities)]
    for label, own in labeled.groupby("label", sort=False):
        figures = dict(zip(own["quantity"], own["marked"], strict=True))
        cells = [_pair(key, DASH, figures.get(key, DASH)) for key in quantities]
        more.append([str(label), *[DASH] * system.errors, *cells, DASH])
    return [_OTHERS, text.markdown_table(columns, told, more)]


def _next_to_ours(quantity: str, known: pd.DataFrame) -> text.Column:
    heading, ours = _QUANTITIES[quantity]
    theirs = dict(zip(known["recipe"], known["marked"], strict=True))
    return heading, lambda row: _pair(
        quantity, ours(row) if ours else DASH, theirs.get(row.name, DASH)
    )


def _pair(quantity: str, ours: str, theirs: str) -> str:
    return f"{ours} / {theirs}" if _QUANTITIES[quantity][1] else theirs


def _errors(row: Row) -> str:
    return f"{text.spread(100 - row.runs['accuracy'])} / {_published_error(row)}"


def _arguments(system: System, row: Row) -> str:
    values = [_plain(row.recipe.model.arguments.get(name)) for name in system.arguments]
    return " / ".join(text.escaped(value or DASH) for value in values)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return DASH if value is None else str(value)


def _read_off(row: Row) -> str:
    if row.curve is None:
        return DASH
    try:
        errors = published_curve(row.curve)
    except RecipeError:
        return DASH
    mark = " [dig]" if "read_off" in row.curve.value else ""
    return f"{100 - errors.iloc[-1]:.2f}, {100 - errors.min():.2f}{mark}"


def _has_both_curves(rows: Sequence[Row]) -> bool:
    return any(row.curve and not row.runs.empty for row in rows)


def _gap(row: Row) -> str:
    lines = series(row)
    if math.isnan(lines.gap):
        return DASH
    return f"{lines.gap:.2f} from epoch {math.floor(lines.settled) + 1}"


def _published_error(row: Row) -> str:
    reference = row.recipe.reference
    if reference is None:
        return DASH
    return f"{100 - reference.accuracy:.2f}{'' if reference.verified else ' [mem]'}"


def _sources(rows: Sequence[Row], facts: pd.DataFrame) -> str:
    references = [row.recipe.reference for row in rows if row.recipe.reference]
    found = [reference.source for reference in references] + list(facts["source"])
    found += [each.spread.source for each in references if each.spread]
    lines = "".join(f"- {text.escaped(source)}\n" for source in dict.fromkeys(found))
    known = {row.name: row.recipe.reference.band for row in rows if row.recipe.reference}
    bands = "".join(
        f"- `{name}`: {band.points:g} points. {text.escaped(band.reason)}\n"
        for name, band in known.items()
        if band
    )
    return f"## Sources\n\n{lines}" + (f"\n## Bands for one or two runs\n\n{bands}" * bool(bands))


def _scaled(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    title = "## Scaled or modified runs\n\nNot comparable with the published figures.\n"
    tables = [text.markdown_table(_SCALED, rows), text.validation_table(rows)]
    return [title, *filter(None, tables)]


def _unfinished(rows: Sequence[Row]) -> list[str]:
    table = text.unfinished_table(rows)
    return [
        "## Unfinished runs\n\nThey count in no figure above and have no verdict.\n",
        table,
    ] * bool(table)


def _figures(key: str, rows: Sequence[Row], pictures: Collection[str]) -> list[str]:
    names = [f"system_{key.lower()}"]
    for row in rows:
        names += [row.slug, f"{row.slug}-accuracy"]
    shown = [name for name in names if f"{name}.svg" in pictures]
    lines = [f"![Curves of {name}](curves/{name}.svg)\n" for name in shown]
    return ["## Curves\n", *lines] if lines else []

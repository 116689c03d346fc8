"""A page a system: the original's own table with ours beside it, and its curves."""

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


# The quantities of originals.csv besides the accuracy, their headings, and ours.
_QUANTITIES: dict[str, tuple[str, Callable[[Row], str] | None]] = {
    "train_error": ("train error, %", lambda row: text.spread(row.runs["train_error"])),
    "memory_mib": ("memory, MiB", lambda row: _mean(row.runs["memory_mib"])),
    "seconds_per_epoch": text.column("s/epoch"),
    "seconds": ("s/run", lambda row: _mean(row.runs["seconds"])),
    "petaflop": ("PFLOP", None),
}
_SCALED = text.columns("recipe", "what differs", "ours, %", "epochs", "s/epoch", "hardware")

_BETWEEN = (
    "Between the curves: the mean distance of our mean test error from the published one, after "
    "the fall at a step of the rate or in the last half.\n"
)


def system_page(key: str, rows: Sequence[Row], pictures: Collection[str]) -> str:
    """Return the page of a system; `rows` are all rows, `pictures` the file names of the curves."""
    system = SYSTEMS[key]
    own = [row for row in rows if row.recipe.system == key]
    full = [row for row in own if row.full]
    full += [row for row in rows if row.full and row.name in system.beside]
    full.sort(key=lambda row: row.recipe.reference is None)
    facts = originals().query("system == @key")
    parts = [
        *([_BETWEEN] if _has_both_curves(full) else []),
        _sources(full, facts),
        *_scaled([row for row in own if row.counts and not row.full]),
        *_unfinished(own),
        *_figures(key, own, pictures),
    ]
    return text.template("system.md").format(
        key=key,
        system=system,
        table=_table(system, full, facts),
        marks=text.MARKS,
        rest="\n".join(parts).rstrip("\n"),
    )


def _columns(system: System, rows: Sequence[Row], facts: pd.DataFrame) -> list[text.Column]:
    def argument(name: str) -> text.Column:
        return name, lambda row: text.escaped(_plain(row.recipe.model.arguments.get(name)))

    references = [row.recipe.reference for row in rows if row.recipe.reference]
    columns: list[text.Column] = [("recipe", lambda row: row.recipe.named(f"`{row.name}`"))]
    columns += [argument(name) for name in system.arguments]
    columns.append(text.column("published, %", _heading("accuracy")))
    if any(row.curve for row in rows):
        columns.append(("its curve: last, best", _read_off))
    columns.append(text.column("ours, %", "ours"))
    if any(reference.augmented for reference in references):
        columns.append(text.column("augmented at test, %", "ours, augmented at test"))
    if any(reference.epoch == "best" for reference in references):
        columns.append(("ours, best epoch", lambda row: text.spread(row.runs["best"])))
    columns.append(text.column("difference"))
    if _has_both_curves(rows):
        columns.append(("between the curves, points", _gap))
    columns.append(text.column("verdict"))
    if system.errors:
        columns.append(("error, %: original", _published_error))
        columns.append(("ours", lambda row: text.spread(100 - row.runs["accuracy"])))
    for quantity, (_, ours) in _QUANTITIES.items():
        of_quantity = facts[facts["quantity"] == quantity]
        known = dict(zip(of_quantity["recipe"], of_quantity["marked"], strict=True))
        if known:
            columns.append((_heading(quantity), _known(known)))
            columns += [("ours", ours)] if ours else []
    return [*columns, text.column("hardware", "hardware, ours")]


def _heading(quantity: str) -> str:
    name = "accuracy, %" if quantity == "accuracy" else _QUANTITIES[quantity][0]
    return f"{name}: original"


def _known(values: dict[str, str]) -> Callable[[Row], str]:
    return lambda row: values.get(row.name, DASH)


def _table(system: System, rows: Sequence[Row], facts: pd.DataFrame) -> str:
    columns = _columns(system, rows, facts)
    more = []
    for label, own in facts[facts["label"] != ""].groupby("label", sort=False):
        known = dict(zip(own["quantity"].map(_heading), own["marked"], strict=True))
        more.append([str(label), *(known.get(heading, DASH) for heading, _ in columns[1:])])
    return text.markdown_table(columns, rows, more, ("hardware, ours", *system.arguments))


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
    title = "## Scaled or altered runs\n\nNot comparable with the published figures.\n"
    tables = [text.markdown_table(_SCALED, rows), text.validation_table(rows)]
    return [title, *filter(None, tables)]


def _unfinished(rows: Sequence[Row]) -> list[str]:
    table = text.unfinished_table(rows)
    return ["## Unfinished runs\n\nIn no figure above, and without a verdict.\n", table] * bool(
        table
    )


def _figures(key: str, rows: Sequence[Row], pictures: Collection[str]) -> list[str]:
    names = [f"system_{key.lower()}"]
    for row in rows:
        names += [row.slug, f"{row.slug}-accuracy"]
    shown = [name for name in names if f"{name}.svg" in pictures]
    lines = [f"![Curves of {name}](curves/{name}.svg)\n" for name in shown]
    return ["## Curves\n", *lines] if lines else []

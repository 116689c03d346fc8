"""A page a system: the original's own table with ours beside it, and its curves."""

import math
from collections.abc import Callable, Collection, Sequence

from cifar_keras.errors import RecipeError
from cifar_keras.report import text
from cifar_keras.report.originals import Original, originals
from cifar_keras.report.published import published_curve
from cifar_keras.report.results import Row
from cifar_keras.report.samples import DASH
from cifar_keras.report.series import series
from cifar_keras.report.systems import SYSTEMS, System
from cifar_keras.report.values import Values
from cifar_keras.report.verdict import verdict


def _mean_seconds(row: Row) -> str:
    return text.number(row.seconds, ",.0f")


def _memory(row: Row) -> str:
    return text.number(Values(tuple(s.result.peak_memory_mib for s in row.samples)).mean, ",.0f")


def _train_error(row: Row) -> str:
    return text.spread(Values(tuple(100 * (1 - s.history[-1].accuracy) for s in row.samples)))


# The quantities of originals.csv beside the accuracy, their headings, and ours.
_QUANTITIES: dict[str, tuple[str, Callable[[Row], str] | None]] = {
    "train_error": ("train error, %", _train_error),
    "memory_mib": ("memory, MiB", _memory),
    "seconds_per_epoch": ("s/epoch", text.seconds_per_epoch),
    "seconds": ("s/run", _mean_seconds),
    "petaflop": ("PFLOP", None),
}

_BETWEEN = (
    "Between the curves: the mean distance of our mean test error from the published one, after "
    "the fall at a step of the rate or in the last half.\n"
)


def system_page(key: str, rows: Sequence[Row], pictures: Collection[str]) -> str:
    """The page of a system; `rows` are all rows, `pictures` the file names of the curves."""
    system = SYSTEMS[key]
    own = [row for row in rows if row.recipe.system == key]
    full = [row for row in own if row.full]
    full += [row for row in rows if row.full and row.name in system.beside]
    full.sort(key=lambda row: row.recipe.reference is None)
    facts = [fact for fact in originals() if fact.system == key]
    parts = [
        f"# System {key}: {system.title}\n",
        "Written by `cifar-keras report`. Do not edit. [All systems](comparison.md), and "
        "`index.html` with curves to look into.\n",
        f"{system.words}\n",
        _table(system, full, facts),
        text.MARKS,
        "Ours are mean ± sample deviation (number of runs), of the last epoch where nothing else "
        "is said; the verdict is by the rule of `docs/verdict.md`.\n",
        *([_BETWEEN] if _has_both_curves(full) else []),
        _sources(full, facts),
        *_scaled([row for row in own if not row.full]),
        *_figures(key, own, pictures),
    ]
    return "\n".join(parts)


_Column = tuple[str, Callable[[Row], str]]


def _columns(system: System, rows: Sequence[Row], facts: Sequence[Original]) -> list[_Column]:
    def argument(name: str) -> _Column:
        return name, lambda row: text.escaped(_plain(row.recipe.model.arguments.get(name)))

    columns: list[_Column] = [("recipe", lambda row: row.recipe.named(f"`{row.name}`"))]
    columns += [argument(name) for name in system.arguments]
    columns.append((_heading("accuracy"), lambda row: text.published(row.recipe.reference)))
    if any(row.curve for row in rows):
        columns.append(("its curve: last, best", _read_off))
    columns.append(("ours", lambda row: text.spread(row.last)))
    if any(row.recipe.reference and row.recipe.reference.augmented for row in rows):
        columns.append(("ours, augmented at test", lambda row: text.spread(row.augmented)))
    if any(row.recipe.reference and row.recipe.reference.epoch == "best" for row in rows):
        columns.append(("ours, best epoch", lambda row: text.spread(row.best)))
    columns.append(("difference", lambda row: text.signed(verdict(row).difference)))
    if _has_both_curves(rows):
        columns.append(("between the curves, points", _gap))
    columns.append(("verdict", lambda row: verdict(row).text))
    if system.errors:
        columns += [("error, %: original", _published_error), ("ours", _error)]
    for quantity, (_, ours) in _QUANTITIES.items():
        known = {fact.recipe: fact.marked for fact in facts if fact.quantity == quantity}
        if known:
            columns.append((_heading(quantity), _known(known)))
            columns += [("ours", ours)] if ours else []
    return [*columns, ("hardware, ours", lambda row: text.escaped(row.hardware))]


def _heading(quantity: str) -> str:
    name = "accuracy, %" if quantity == "accuracy" else _QUANTITIES[quantity][0]
    return f"{name}: original"


def _known(values: dict[str, str]) -> Callable[[Row], str]:
    return lambda row: values.get(row.name, DASH)


def _table(system: System, rows: Sequence[Row], facts: Sequence[Original]) -> str:
    columns = _columns(system, rows, facts)
    heads = [heading for heading, _ in columns]
    body = [[cell(row) for _, cell in columns] for row in rows]
    for label in dict.fromkeys(fact.label for fact in facts if fact.label):
        told = {_heading(fact.quantity): fact.marked for fact in facts if fact.label == label}
        body.append([label, *(told.get(heading, DASH) for heading in heads[1:])])
    words = {"recipe", "verdict", "hardware, ours", *system.arguments}
    return text.markdown_table(heads, body, [i for i, h in enumerate(heads) if h not in words])


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
        accuracies = [100 - error for _, error in published_curve(row.curve)]
    except RecipeError:
        return DASH
    mark = " [dig]" if "read_off" in row.curve.value else ""
    return f"{accuracies[-1]:.2f}, {max(accuracies):.2f}{mark}"


def _has_both_curves(rows: Sequence[Row]) -> bool:
    return any(row.samples and row.curve for row in rows)


def _gap(row: Row) -> str:
    lines = series(row)
    if lines.gap is None:
        return DASH
    return f"{lines.gap:.2f} from epoch {math.floor(lines.settled) + 1}"


def _published_error(row: Row) -> str:
    reference = row.recipe.reference
    if reference is None:
        return DASH
    return f"{100 - reference.accuracy:.2f}{'' if reference.verified else ' [mem]'}"


def _error(row: Row) -> str:
    return text.spread(Values(tuple(100 - accuracy for accuracy in row.last.each)))


def _sources(rows: Sequence[Row], facts: Sequence[Original]) -> str:
    references = [row.recipe.reference for row in rows if row.recipe.reference]
    found = [reference.source for reference in references] + [fact.source for fact in facts]
    found += [each.spread.source for each in references if each.spread]
    lines = "".join(f"- {text.escaped(source)}\n" for source in dict.fromkeys(found))
    bands = {row.name: row.recipe.reference.band for row in rows if row.recipe.reference}
    told = "".join(
        f"- `{name}`: {band.points:g} points. {text.escaped(band.reason)}\n"
        for name, band in bands.items()
        if band
    )
    return f"## Sources\n\n{lines}" + (f"\n## Bands for one or two runs\n\n{told}" if told else "")


def _scaled(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    head = ["recipe", "what differs", "ours, %", "epochs", "s/epoch", "hardware"]
    body = [
        [
            row.label,
            text.escaped(row.note or "length"),
            text.spread(row.last),
            text.epochs(row),
            text.seconds_per_epoch(row),
            text.escaped(row.hardware),
        ]
        for row in rows
    ]
    title = "## Scaled or altered runs\n\nNot comparable with the published figures.\n"
    return [title, text.markdown_table(head, body, right=(2, 3, 4))]


def _figures(key: str, rows: Sequence[Row], pictures: Collection[str]) -> list[str]:
    names = [f"system_{key.lower()}"]
    for row in rows:
        names += [row.slug, f"{row.slug}-accuracy"]
    shown = [name for name in names if f"{name}.svg" in pictures]
    lines = [f"![Curves of {name}](curves/{name}.svg)\n" for name in shown]
    return ["## Curves\n", *lines] if lines else []

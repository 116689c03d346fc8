"""Text for the terminal: tables, durations, and a plot of a recipe's learning rate."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import ceil, log10

from cifar_keras.lengths import Lengths
from cifar_keras.recipe import Recipe
from cifar_keras.recipe.wording import cut
from cifar_keras.schedules import Pace, build

# The learning rate is sampled this often per epoch, finer than any recipe's boundaries.
_FINE = Pace(100)
_LEAST_TITLE = 18


def recipes_table(recipes: Mapping[str, Recipe], lengths: Lengths, width: int | None = None) -> str:
    """Return the recipes as a table, no wider than `width` if it is given.

    To fit, columns are shortened or left out, and titles are cut.
    """
    time = f"about, {lengths.where}" if lengths.where else "time"
    header = ("recipe", "data set", "parameters", "epochs", time, "published", "title")
    rows = [_row(name, recipe, lengths) for name, recipe in recipes.items()]
    if width is None:
        return table(header, rows, right=(2, 3, 4, 5))
    short = [(*row[:5], row[5].partition(" (")[0], row[6]) for row in rows]
    for each, kept in (
        (rows, header),
        (short, header),
        (short, [key for key in header if key != "parameters"]),
        (short, [key for key in header if key not in ("parameters", "data set")]),
    ):
        places = [header.index(key) for key in kept]
        lines = [tuple(line[i] for i in places) for line in (header, *each)]
        columns = list(zip(*lines, strict=True))[:-1]
        room = width - sum(max(map(len, column)) + 2 for column in columns)
        if room >= _LEAST_TITLE:
            break
    lines = [(*line[:-1], cut(line[-1], max(room, 4))) for line in lines]
    right = [kept.index(key) for key in kept if key in ("parameters", "epochs", time, "published")]
    return table(lines[0], lines[1:], tuple(right))


def _row(name: str, recipe: Recipe, lengths: Lengths) -> tuple[str, ...]:
    seconds = lengths.seconds.get(name)
    return (
        name,
        recipe.dataset,
        f"{recipe.parameters:,}",
        f"{float(recipe.epochs):g}",
        "-" if seconds is None else duration(seconds),
        published_cell(recipe),
        recipe.title,
    )


def published_cell(recipe: Recipe) -> str:
    """Return the published test accuracy and its epoch; a dash if there is none."""
    if not recipe.reference:
        return "-"
    memory = "" if recipe.reference.verified else ", from memory"
    views = ", with TTA" if recipe.reference.augmented else ""
    return f"{recipe.reference.accuracy:.2f} % ({recipe.reference.epoch}{views}{memory})"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: tuple[int, ...]) -> str:
    """Return a table with aligned columns; the columns in `right` are right-aligned."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def counted(number: float, thing: str, form: str = "") -> str:
    """Return "1 run", "2 runs"; `form` formats the number."""
    return f"{number:{form}} {thing}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """Return seconds as readable text, rounded up: 45 s, 3 min, 2 h 05 min."""
    if seconds <= 59:
        return f"{ceil(seconds)} s"
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def draw_rate(recipe: Recipe, width: int = 60, height: int = 8) -> str:
    """Return a text plot of the learning rate over the epochs, on a logarithmic axis."""
    ends = [*accumulate(_FINE.step_of(stage.epochs) for stage in recipe.stages)]
    rates = [build(stage.schedule, stage.epochs, _FINE) for stage in recipe.stages]
    columns = []
    for step in (column * ends[-1] // width for column in range(width)):
        number = bisect_right(ends, step)
        columns.append(rates[number](step - (ends[number - 1] if number else 0)))
    logs = [log10(max(rate, 1e-9)) for rate in columns]
    low, high = min(logs), max(logs)
    levels = [round((value - low) / (high - low or 1) * (height - 1)) for value in logs]
    lines = []
    for level in reversed(range(height)):
        value = 10 ** (low + (high - low) * level / (height - 1))
        label = f"{value:8.3g}" if level in (0, height - 1) else " " * 8
        lines.append(f"{label} |" + "".join("*" if at == level else " " for at in levels).rstrip())
    last = f"{float(recipe.epochs):g} epochs"
    return "\n".join([*lines, " " * 9 + "+" + "-" * width, f"{'0':>11}{last:>{width - 1}}"])

"""What is read in a terminal: tables, durations, and a recipe's rate as a picture."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from math import ceil, log10

from cifar_keras.recipe import Recipe, load_recipe, recipe_names, recipe_path
from cifar_keras.schedules import build, step_of

# The rate is drawn at this many places an epoch; finer than any recipe's boundaries.
_FINE = 100


def recipes_table() -> str:
    """All shipped recipes: data set, trainable parameters, epochs, published test accuracy."""
    header = ("recipe", "data set", "parameters", "epochs", "published", "title")
    rows = [_row(name, load_recipe(recipe_path(name))) for name in recipe_names()]
    return table(header, rows, right=(2, 3, 4))


def _row(name: str, recipe: Recipe) -> tuple[str, ...]:
    published = "-"
    if recipe.reference:
        memory = "" if recipe.reference.verified else ", from memory"
        views = ", augmented at test" if recipe.reference.augmented else ""
        published = f"{recipe.reference.accuracy:.2f} % ({recipe.reference.epoch}{views}{memory})"
    epochs = f"{float(recipe.epochs):g}"
    return name, recipe.dataset, f"{recipe.parameters:,}", epochs, published, recipe.title


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: tuple[int, ...]) -> str:
    """Aligned columns for a terminal; the columns in `right` are flush right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def duration(seconds: float) -> str:
    """Seconds as people say them, rounded up: 45 s, 3 min, 2 h 05 min."""
    if seconds <= 59:
        return f"{ceil(seconds)} s"
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def draw_rate(recipe: Recipe, width: int = 60, height: int = 8) -> str:
    """The learning rate over the epochs as a text picture, its axis logarithmic."""
    lengths = [step_of(stage.epochs, _FINE) for stage in recipe.stages]
    rates = [build(stage.schedule, stage.epochs, _FINE)[0] for stage in recipe.stages]
    ends = list(accumulate(lengths))
    columns = []
    for step in (i * ends[-1] // width for i in range(width)):
        stage = bisect_right(ends, step)
        columns.append(rates[stage](step - ends[stage] + lengths[stage]))
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

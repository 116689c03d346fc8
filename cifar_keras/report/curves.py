"""Plot the curves: each of our runs and their mean over the published curve."""

from collections.abc import Iterator, Sequence
from itertools import chain

import pandas as pd
from matplotlib.figure import Figure

from cifar_keras.listing import counted
from cifar_keras.report import text
from cifar_keras.report.figure import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    QUIET,
    VERMILION,
    Line,
    Style,
    draw,
    show,
)
from cifar_keras.report.results import Row
from cifar_keras.report.series import Series, lines_of, mean_of, series
from cifar_keras.report.systems import SYSTEMS

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}

_EACH = (BLUE, VERMILION, GREEN, PURPLE)
_DASHED, _DOTTED = (0, (4, 3)), (0, (1, 1.8))
_FEW = 30

_DROP = ("learning-rate drop", {"color": QUIET, "linewidth": 0.8})
_EACH_RUN = ("each run", {"color": BLUE, "linewidth": 0.8, "alpha": 0.4})
_UNFINISHED: Style = {"color": PURPLE, "linewidth": 1.2, "marker": "."}
_VALIDATION: Style = {"color": GREEN, "linewidth": 1.2}
_PUBLISHED: Style = {"color": INK, "linewidth": 1.2, "linestyle": _DASHED}


def curve_figures(rows: Sequence[Row]) -> dict[str, Figure]:
    """Return file name without extension -> figure, for rows with runs and for systems."""
    figures = {}
    for row in rows:
        lines, system = series(row), SYSTEMS.get(row.recipe.system)
        if not row.runs.empty or lines.unfinished:
            figures[row.slug] = curve_figure(row, lines)
            if system and system.accuracies:
                figures[f"{row.slug}-accuracy"] = curve_figure(row, lines, accuracy=True)
    # Of a recipe's rows the last is used: one with runs, and float32 before other precisions.
    ordered = sorted(reversed(rows), key=lambda row: not row.runs.empty)
    full = {row.name: row for row in ordered if row.full}
    for key, system in SYSTEMS.items():
        recipes = system.figure.recipes if system.figure else []
        together = [(full[recipe], series(full[recipe])) for recipe in recipes if recipe in full]
        if system.figure and any(lines.last for _, lines in together):
            figures[f"system_{key.lower()}"] = figure_together(system.figure.title, together)
    return figures


def curve_figure(row: Row, lines: Series, accuracy: bool = False) -> Figure:
    """Return two panels: the full run, and the part after the first learning-rate drop."""
    points = len(mean_of(lines.test)) <= _FEW
    published = _published(row, lines)
    tested = list(_runs(lines.test, BLUE, 1.6, points))
    trained = list(_runs(lines.train, ORANGE, 1, points))
    quantity = "accuracy" if accuracy else "error"
    mean = " (mean)" if len(row.runs) > 1 else ""
    legend: list[tuple[str, Style]] = []
    if not row.runs.empty:
        legend = [
            (f"test {quantity}{mean}", {"color": BLUE, "linewidth": 1.6}),
            *([_EACH_RUN] if mean else []),
            (f"train {quantity}{mean}", {"color": ORANGE, "linewidth": 1}),
        ]
    if not lines.validation.empty:
        legend.append((f"validation {quantity}{mean}", _VALIDATION))
        tested.append((mean_of(lines.validation), _VALIDATION))
    if lines.unfinished:
        legend.append((f"test {quantity}, unfinished", _UNFINISHED))
        tested += [(line, _UNFINISHED) for line in lines.unfinished]
    if len(lines.published):
        legend.append((f"published test {quantity}", _PUBLISHED))
    elif len(published[0]) and row.recipe.reference:
        epoch = row.recipe.reference.epoch
        legend.append((f"published test {quantity} of the {epoch} epoch", _PUBLISHED))
    if lines.steps:
        legend.append(_DROP)
    figure = draw(heading(row), subheading(row), legend)
    whole, zoomed = [published, *trained, *tested], [published, *tested]
    return _show_both(figure, [lines], whole, zoomed, accuracy)


def _published(row: Row, lines: Series) -> Line:
    """Return the published curve or else, unless it is with TTA, the figure as a straight line."""
    reference = row.recipe.reference
    line = lines.published
    if line.empty and row.full and reference and not reference.augmented:
        line = pd.Series(100 - reference.accuracy, index=[0.0, lines.last])
    return line, _PUBLISHED


def figure_together(title: str, rows: Sequence[tuple[Row, Series]]) -> Figure:
    """Return several recipes in one figure, a color each: full runs and published curves."""
    published, trained, legend = [], [], []
    tested: list[Line] = []
    for (row, lines), color in zip(rows, _EACH, strict=False):
        published.append((lines.published, {**_PUBLISHED, "color": color}))
        dotted = {"color": color, "linewidth": 0.9, "linestyle": _DOTTED}
        trained.append((mean_of(lines.train), dotted))
        tested += _runs(lines.test, color, 1.6, points=False)
        tested += [(line, {"color": color, "linewidth": 0.8}) for line in lines.unfinished]
        runs = "not finished" if lines.unfinished else "not run"
        runs = runs if row.runs.empty else counted(len(row.runs), "run")
        legend.append((f"{row.label} ({runs})", {"color": color, "linewidth": 1.6}))
    each = [lines for _, lines in rows]
    ran = any(not row.runs.empty for row, _ in rows)
    if ran:
        legend.append(("test", {"color": INK, "linewidth": 1.6}))
        legend.append(("train", {"color": INK, "linewidth": 0.9, "linestyle": _DOTTED}))
    if any(len(lines.published) for lines in each):
        legend.append(("published test", _PUBLISHED))
    if any(lines.steps for lines in each):
        legend.append(_DROP)
    first, _ = rows[0]
    data = DATASETS.get(first.recipe.dataset, first.dataset)
    what = "the mean of each recipe's runs" if ran else "as published; not run yet"
    figure = draw(f"{title}, on {data}", what, legend)
    return _show_both(figure, each, [*published, *trained, *tested], [*published, *tested])


def heading(row: Row) -> str:
    """Return recipe, precision, title and data set; synthetic data are marked."""
    data = DATASETS.get(row.recipe.dataset, row.dataset)
    return f"{row.label}: {text.line(row.recipe.title)}, on {data}"


def subheading(row: Row) -> str:
    """Return the number of runs, and how they differ from the recipe."""
    count = len(row.runs)
    parts = [counted(count, "run")]
    if not count:
        parts = []
        if row.length_differs:
            parts.append(f"{row.epochs:.4g} of {row.full_epochs:.4g} epochs")
    elif row.budget != "1":
        kind = "scaled run" if count == 1 else f"{count} scaled runs"
        parts = [f"{kind}: {row.epochs:.4g} of {row.full_epochs:.4g} epochs"]
    elif row.length_differs:
        parts.append(f"{row.epochs:.4g} epochs instead of {row.full_epochs:.4g}")
    parts += [f"seed {each.run.seed} unfinished, epoch {each.epochs}" for each in row.unfinished]
    if row.note:
        note = text.line(row.note)
        parts.append(note if len(note) < 100 else f"{note[:99]}...")
    if not row.full and row.recipe.reference:
        parts.append("not comparable with the published one")
    return ", ".join(parts)


def _runs(errors: pd.DataFrame, color: str, width: float, points: bool) -> Iterator[Line]:
    if len(errors.columns) > 1:
        faint = {"color": color, "linewidth": width / 2, "alpha": 0.4}
        yield from ((line, faint) for line in lines_of(errors))
    yield mean_of(errors), {"color": color, "linewidth": width, "marker": "." if points else None}


def _show_both(
    figure: Figure,
    each: Sequence[Series],
    whole: Sequence[Line],
    zoomed: Sequence[Line],
    accuracy: bool = False,
) -> Figure:
    """Plot errors or accuracies: the full run, and the part after the first learning-rate drop."""
    last, zoom = max(lines.last for lines in each), min(lines.zoom for lines in each)
    # A small margin on the right, so that the marker of the last epoch is not cut.
    hair = 0.01 * (last - zoom)
    errors = list(chain.from_iterable(lines.zoomed_errors for lines in each))
    margin = 0.06 * (max(errors) - min(errors)) or 0.5
    top = 1.03 * max(line.max() for line, _ in whole if len(line))
    near = (max(0.0, min(errors) - margin), max(errors) + margin)
    steps = sorted({step for lines in each for step in lines.steps})
    panels = ((whole, 0, (0, top), "error, %"), (zoomed, zoom, near, "test error, %"))
    for axes, (lines, first, (low, high), label) in zip(figure.axes, panels, strict=True):
        if accuracy:
            lines = [(100 - line, style) for line, style in lines]
            low, high, label = max(0.0, 100 - high), 100 - low, label.replace("error", "accuracy")
        show(axes, lines, steps, each[0].share)
        axes.set(xlim=(first, last + hair), ylim=(low, high), ylabel=label)
    return figure

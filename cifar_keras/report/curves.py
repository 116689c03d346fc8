"""Error curves as pictures: ours, each run and their mean, and the published one behind them."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cifar_keras.report.own import CREATOR
from cifar_keras.report.results import Row
from cifar_keras.report.series import Line, Series, series

# Okabe and Ito's colours, told apart by colour-blind readers.
TEST, TRAIN, PUBLISHED, STEP = "#0072B2", "#E69F00", "#000000", "#999999"

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


def curve_pictures(rows: Sequence[Row]) -> dict[str, bytes]:
    """File name -> SVG or PNG, for every row that has runs; unchanged rows give unchanged bytes."""
    pictures = {}
    # A user's matplotlibrc must not change what is committed.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": CREATOR, "font.size": 9})
        for row in rows:
            if row.samples:
                figure = draw(row, series(row))
                pictures[f"{row.slug}.svg"] = _svg(figure)
                pictures[f"{row.slug}.png"] = _png(figure)
    return pictures


def _svg(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Creator": CREATOR, "Date": None})
    return content.getvalue()


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    # The default level takes as long as the drawing, for a tenth of the size.
    options = {"compress_level": 3}
    figure.savefig(
        content, format="png", dpi=150, metadata={"Software": CREATOR}, pil_kwargs=options
    )
    return content.getvalue()


def draw(row: Row, lines: Series) -> Figure:
    """Two panels: the whole run, and what follows the first step of the rate."""
    figure = Figure(figsize=(9.6, 4.6))
    whole, zoomed = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.06, right=0.98, top=0.84, bottom=0.22, wspace=0.16)
    figure.text(0.06, 0.945, heading(row), fontsize=11, fontweight="bold")
    figure.text(0.06, 0.892, subheading(row))
    _lines(whole, lines, train=True)
    _lines(zoomed, lines, train=False)
    whole.set_ylim(bottom=0)
    # A hair to the right, for the point of the last epoch to be seen whole.
    whole.set_xlim(0, 1.01 * lines.last)
    zoomed.set_xlim(lines.zoom, lines.last + 0.01 * (lines.last - lines.zoom))
    errors = lines.zoomed_errors
    margin = 0.06 * (max(errors) - min(errors)) or 0.5
    zoomed.set_ylim(max(0, min(errors) - margin), max(errors) + margin)
    whole.set_ylabel("error, %")
    zoomed.set_ylabel("test error, %")
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="lower center", ncols=len(labels), frameon=False)
    return figure


def heading(row: Row) -> str:
    """Recipe, title and data set; synthetic data are named as such."""
    data = DATASETS.get(row.recipe.dataset, row.dataset)
    return f"{row.name}: {row.recipe.title}, on {data}"


def subheading(row: Row) -> str:
    """How many runs, and in what they are not the recipe."""
    count = len(row.samples)
    parts = ["1 run" if count == 1 else f"{count} runs"]
    if row.budget != "1":
        kind = "scaled run" if count == 1 else f"{count} scaled runs"
        parts = [f"{kind}: {row.epochs:.4g} of {row.full_epochs:.4g} epochs"]
    elif row.length_differs:
        parts.append(f"{row.epochs:.4g} epochs instead of {row.full_epochs:.4g}")
    if row.note:
        parts.append(row.note if len(row.note) < 100 else f"{row.note[:99]}...")
    if not row.full and row.recipe.reference:
        parts.append("not comparable with the published one")
    return ", ".join(parts)


def _lines(axes: Axes, lines: Series, train: bool) -> None:
    marker = "." if len(lines.test_mean) <= 30 else None
    for place in lines.steps:
        label = "step of the rate" if place == lines.steps[0] else None
        axes.axvline(place, color=STEP, linewidth=0.6, zorder=1, label=label)
    dashed = {"color": PUBLISHED, "linestyle": "--", "linewidth": 1.2}
    _plot(axes, lines.published, "published test error", **dashed, zorder=2)
    kinds = [("test", lines.test, lines.test_mean, TEST, 1.6)]
    if train:
        kinds.insert(0, ("train", lines.train, lines.train_mean, TRAIN, 0.8))
    for kind, each, mean, color, width in kinds:
        if len(each) > 1:
            for i, line in enumerate(each):
                label = f"{kind} error, each run" if i == 0 and kind == "test" else ""
                _plot(axes, line, label, color=color, linewidth=0.5 * width, alpha=0.35, zorder=3)
        label = f"{kind} error, mean" if len(each) > 1 else f"{kind} error"
        _plot(axes, mean, label, color=color, linewidth=width, marker=marker, zorder=4)
    axes.grid(axis="y", color=STEP, alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if lines.share:
        axes.set_xlabel("share of the schedule")
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    else:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _plot(axes: Axes, line: Line, label: str, **style: Any) -> None:
    if line:
        axes.plot(*zip(*line, strict=True), label=label or None, **style)

"""Charts as SVG and PNG, by Matplotlib, which only who draws has to import.

One figure with fixed margins serves all charts: laying out anew takes longer than the drawing.
"""

import io
from collections.abc import Iterable, Sequence
from itertools import accumulate
from textwrap import shorten, wrap
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter, ScalarFormatter

from cifar_keras.report.chart import QUIET, Chart, Panel, Stroke
from cifar_keras.report.own import CREATOR

_STYLE: Any = {
    "font.size": 9,
    # The same identifiers in the same picture.
    "svg.hashsalt": CREATOR,
    # Text stays text: smaller, found by a search, read aloud.
    "svg.fonttype": "none",
    "text.hinting": "no_hinting",
    # A title may hold a dollar.
    "text.parse_math": False,
}
# In a third of the default's time, a tenth larger: 3 is zlib's Z_RLE.
_PNG = {"dpi": 100, "pil_kwargs": {"compress_level": 1, "compress_type": 3}}
_TICKS = 4

# Inches: the figure's width, what stands around its panels, and their height.
_WIDTH, _LEFT, _RIGHT, _BETWEEN, _PANEL = 9.6, 0.66, 0.15, 0.7, 3.1
_TITLE, _LINE, _AXIS, _ENTRY = 0.42, 0.18, 0.54, 0.195
# A character of 9 points on average; a legend's lines, what parts them from their text and entries
# from one another, and what is left below.
_CHARACTER, _SAMPLE, _GAP, _APART, _BELOW = 0.07, 0.25, 0.1, 0.25, 0.05
_TITLE_LENGTH = 94


def draw(charts: Iterable[tuple[Chart, str]]) -> list[tuple[bytes, bytes]]:
    """SVG and PNG of each chart and, in both, its source; the same bytes for the same chart."""
    # A user's matplotlibrc must not change what is committed.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, _PANEL))
        for axes in figure.subplots(1, 2):
            axes.yaxis.set_major_locator(MaxNLocator(_TICKS))
            axes.xaxis.set_label_coords(0.5, -0.09)
            axes.yaxis.set_label_coords(-0.115, 0.5)
            axes.grid(axis="y", color=QUIET, alpha=0.3, linewidth=0.5)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(length=0, pad=5)
        drawn = []
        for chart, source in charts:
            _fill(figure, chart)
            about = {"Title": chart.title, "Source": source}
            svg = _saved(figure, format="svg", metadata={**about, "Creator": CREATOR, "Date": None})
            png = _saved(figure, format="png", metadata={**about, "Software": CREATOR}, **_PNG)
            drawn.append((svg, png))
    return drawn


def _saved(figure: Figure, **options: Any) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, **options)
    return content.getvalue()


def _fill(figure: Figure, chart: Chart) -> None:
    for artist in [*figure.texts, *figure.artists]:
        artist.remove()
    subtitle = wrap(chart.subtitle, int((_WIDTH - _LEFT - _RIGHT) / _CHARACTER))
    columns = _columns([label for label, _ in chart.legend])
    top = _TITLE + _LINE * len(subtitle)
    bottom = _AXIS + _ENTRY * -(-len(chart.legend) // columns)
    height = top + _PANEL + bottom
    figure.set_size_inches(_WIDTH, height)
    panel = (_WIDTH - _LEFT - _RIGHT - _BETWEEN) / 2
    figure.subplots_adjust(
        left=_LEFT / _WIDTH,
        right=1 - _RIGHT / _WIDTH,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=_BETWEEN / panel,
    )
    title, words = (figure.text(_LEFT / _WIDTH, 1 - y / height, "", va="top") for y in (0.12, 0.35))
    shown = shorten(chart.title, _TITLE_LENGTH, placeholder="...")
    title.set(text=shown, fontsize=11, fontweight="bold")
    words.set_text("\n".join(subtitle))
    for axes, content in zip(figure.axes, chart.panels, strict=True):
        _show(axes, content)
    _legend(figure, chart.legend, columns)


def _legend(figure: Figure, entries: Sequence[tuple[str, Stroke]], columns: int) -> None:
    """The entries in rows below the panels; Matplotlib's own takes a quarter of the drawing."""
    widths = _widths([label for label, _ in entries], columns)
    lefts = list(accumulate(widths, initial=(_WIDTH - sum(widths)) / 2))
    rows = -(-len(entries) // columns)
    for number, (label, stroke) in enumerate(entries):
        row, column = divmod(number, columns)
        y = (_BELOW + _ENTRY * (rows - row - 0.5)) / figure.get_figheight()
        places = (0, _SAMPLE, _SAMPLE + _GAP)
        begin, end, words = ((lefts[column] + place) / _WIDTH for place in places)
        figure.add_artist(_line([(begin, y), (end, y)], stroke))
        figure.text(words, y, label, va="center_baseline")


def _columns(labels: Sequence[str]) -> int:
    """All entries in a row, or four, or two: as many as the width holds."""
    counts = (len(labels), 4, 2)
    return next((count for count in counts if sum(_widths(labels, count)) <= _WIDTH), 1)


def _widths(labels: Sequence[str], columns: int) -> list[float]:
    longest = [max(map(len, labels[i::columns]), default=0) for i in range(columns)]
    return [_CHARACTER * length + _SAMPLE + _GAP + _APART for length in longest]


def _show(axes: Axes, panel: Panel) -> None:
    for artist in list(axes.lines):
        artist.remove()
    for place in panel.rules:
        axes.axvline(place, color=QUIET, linewidth=0.8)
    for line, stroke in panel.lines:
        if line:
            axes.add_line(_line(line, stroke))
    axes.set_xlim(panel.x)
    axes.set_ylim(panel.y)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=not panel.share))
    percent = PercentFormatter(xmax=1)
    axes.xaxis.set_major_formatter(percent if panel.share else ScalarFormatter())


def _line(points: Sequence[tuple[float, float]], stroke: Stroke) -> Line2D:
    return Line2D(
        [x for x, _ in points],
        [y for _, y in points],
        color=stroke.color,
        linewidth=stroke.width,
        linestyle=(0, stroke.dash) if stroke.dash else "-",
        alpha=stroke.alpha,
        marker="." if stroke.points else None,
    )

"""Figures of two panels as SVG and PNG, with identical bytes for identical content.

Margins are fixed and the legend is drawn here, because Matplotlib's own layout is slow.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from textwrap import shorten, wrap
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

# In the header of every figure and page.
CREATOR = "cifar-keras report"

# The colors of Okabe and Ito, which color-blind readers can distinguish.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, INK, QUIET = "#E69F00", "#000000", "#999999"

# Properties of a Line2D; and a curve, percent over x, drawn with them.
Style = dict[str, Any]
Line = tuple["pd.Series[float]", Style]

_STYLE: Any = {
    "font.size": 9,
    # Reproducible identifiers in SVG.
    "svg.hashsalt": CREATOR,
    # Keep text as text: smaller, searchable and accessible.
    "svg.fonttype": "none",
    "text.hinting": "no_hinting",
    # A title may contain a dollar sign.
    "text.parse_math": False,
}
# A third of the default's time for files a tenth larger; 3 is zlib's Z_RLE.
_PNG: Any = {"dpi": 100, "pil_kwargs": {"compress_level": 1, "compress_type": 3}}
_TICKS = 4

# Inches: the figure's width, the margins around its panels, and their height.
_WIDTH, _LEFT, _RIGHT, _BETWEEN, _PANEL = 9.6, 0.66, 0.15, 0.7, 3.1
_TITLE, _LINE, _AXIS, _ENTRY = 0.42, 0.18, 0.54, 0.195
# The average width of a character of 9 points; the length of a legend's lines, their distance to
# the text and between entries, and the space below.
_CHARACTER, _SAMPLE, _GAP, _APART, _BELOW = 0.07, 0.25, 0.1, 0.25, 0.05
_TITLE_LENGTH = 94


@contextmanager
def settings() -> Iterator[None]:
    """Use fixed settings for figures, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def picture(figure: Figure, kind: str) -> bytes:
    """Return the figure as "svg" or "png"; call it within `settings`."""
    creator: Any = {"Software": CREATOR} if kind == "png" else {"Creator": CREATOR, "Date": None}
    metadata = {"Title": figure.get_label(), **creator}
    content = io.BytesIO()
    options = _PNG if kind == "png" else {}
    figure.savefig(content, format=kind, metadata=metadata, **options)
    return content.getvalue()


def draw(title: str, subtitle: str, legend: Sequence[tuple[str, Style]]) -> Figure:
    """Return two empty panels side by side below a title, and the legend's entries below them."""
    words = wrap(subtitle, int((_WIDTH - _LEFT - _RIGHT) / _CHARACTER))
    columns = _columns([label for label, _ in legend])
    top = _TITLE + _LINE * len(words)
    bottom = _AXIS + _ENTRY * -(-len(legend) // columns)
    height = top + _PANEL + bottom
    figure = Figure(figsize=(_WIDTH, height), label=title)
    figure.subplots_adjust(
        left=_LEFT / _WIDTH,
        right=1 - _RIGHT / _WIDTH,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=2 * _BETWEEN / (_WIDTH - _LEFT - _RIGHT - _BETWEEN),
    )
    shown = shorten(title, _TITLE_LENGTH, placeholder="...")
    left = _LEFT / _WIDTH
    figure.text(left, 1 - 0.12 / height, shown, va="top", fontsize=11, fontweight="bold")
    figure.text(left, 1 - 0.35 / height, "\n".join(words), va="top")
    for axes in figure.subplots(1, 2):
        axes.yaxis.set_major_locator(MaxNLocator(_TICKS))
        axes.xaxis.set_label_coords(0.5, -0.09)
        axes.yaxis.set_label_coords(-0.115, 0.5)
        axes.grid(axis="y", color=QUIET, alpha=0.3, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=0, pad=5)
    _legend(figure, legend, columns)
    return figure


def show(axes: Axes, lines: Sequence[Line], rules: Sequence[float], share: bool) -> None:
    """Plot lines and, behind them, vertical rules; x is epochs or, for `share`, percent."""
    for place in rules:
        axes.axvline(place, color=QUIET, linewidth=0.8)
    for line, style in lines:
        if len(line):
            axes.add_line(Line2D(line.index, line, **style))
    axes.set_xlabel("share of the schedule" if share else "epoch")
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=not share))
    if share:
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))


def _legend(figure: Figure, entries: Sequence[tuple[str, Style]], columns: int) -> None:
    widths = _widths([label for label, _ in entries], columns)
    lefts = list(accumulate(widths, initial=(_WIDTH - sum(widths)) / 2))
    rows = -(-len(entries) // columns)
    for number, (label, style) in enumerate(entries):
        row, column = divmod(number, columns)
        y = (_BELOW + _ENTRY * (rows - row - 0.5)) / figure.get_figheight()
        places = (0, _SAMPLE, _SAMPLE + _GAP)
        begin, end, words = ((lefts[column] + place) / _WIDTH for place in places)
        figure.add_artist(Line2D([begin, end], [y, y], **style))
        figure.text(words, y, label, va="center_baseline")


def _columns(labels: Sequence[str]) -> int:
    """Return how many legend entries fit in a row: all, four or two."""
    counts = (len(labels), 4, 2)
    return next((count for count in counts if sum(_widths(labels, count)) <= _WIDTH), 1)


def _widths(labels: Sequence[str], columns: int) -> list[float]:
    longest = [max(map(len, labels[i::columns]), default=0) for i in range(columns)]
    return [_CHARACTER * length + _SAMPLE + _GAP + _APART for length in longest]

"""What a figure shows, before a library draws it: lines, axes and words."""

from collections.abc import Sequence
from dataclasses import dataclass

from cifar_keras.report.series import Line

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, INK, QUIET = "#E69F00", "#000000", "#999999"


@dataclass(frozen=True)
class Stroke:
    """How a line is drawn: width and dashes in points, with a mark at each of its points or not."""

    color: str
    width: float
    dash: tuple[float, ...] = ()
    alpha: float = 1
    points: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines in drawing order, the places of rules across, and what is shown of both axes.

    `share` says that x is a share, to be told in percent; otherwise it is whole epochs.
    """

    lines: Sequence[tuple[Line, Stroke]]
    rules: Sequence[float]
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    share: bool


@dataclass(frozen=True)
class Chart:
    """Two panels side by side below a title, and the legend's entries below them."""

    title: str
    subtitle: str
    panels: Sequence[Panel]
    legend: Sequence[tuple[str, Stroke]]

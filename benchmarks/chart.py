"""Draw benchmarks.svg and .png: the training speed of every family and its limits."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.families import CONTENDERS, FAMILIES, FLOAT32, OURS, Family
from benchmarks.figures import figure
from benchmarks.ratios import OPERATIONS_PER_MULTIPLY_ADD, limit, training_rates
from benchmarks.results import Results

CREATOR = "make bench"
# Okabe and Ito's colors, one per framework.
COLORS = {"ours": "#D55E00", "keras": "#E69F00", "torch": "#0072B2", "mxnet": "#009E73"}
GRAY = "#999999"
# Draw no limit beyond this many times the longest bar, because it would squeeze the bars.
FARTHEST = 2.0
COLUMNS = 2
# Height in inches of a bar, and of everything around the bars of a panel.
BAR, AROUND = 0.2, 0.75


def pictures(results: Results) -> dict[str, bytes]:
    """Return the SVG and the PNG by file name, with the same bytes for the same results."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": CREATOR, "font.size": 8})
        drawn = draw(results)
        svg, png = io.BytesIO(), io.BytesIO()
        drawn.savefig(svg, format="svg", metadata={"Creator": CREATOR, "Date": None})
        drawn.savefig(png, format="png", dpi=150, metadata={"Software": CREATOR})
    return {"benchmarks.svg": svg.getvalue(), "benchmarks.png": png.getvalue()}


def draw(results: Results) -> Figure:
    """Draw a panel for each family and size with a bar for each contender."""
    panels = [
        (FAMILIES[name], size)
        for name in FAMILIES
        if name in results.get("training", {})
        for size in FAMILIES[name].sizes
    ]
    rows = -(-len(panels) // COLUMNS) or 1
    bars = max((len(_names(results, family)) for family, _ in panels), default=1)
    drawn = Figure(figsize=(10, rows * (AROUND + BAR * bars)), layout="constrained")
    every = drawn.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (family, size) in zip(every, panels, strict=False):
        _panel(axes, results, family, size)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    return drawn


def _names(results: Results, family: Family) -> Sequence[str]:
    contenders = results["training"][family.name]["contenders"]
    return [name for name, facts in contenders.items() if "failed" not in facts]


def _panel(axes: Axes, results: Results, family: Family, size: int) -> None:
    names = _names(results, family)
    for place, name in enumerate(names):
        found = figure(training_rates(results, family.name, name, size))
        if found is None:
            continue
        spread = [[found.median - found.low], [found.high - found.median]]
        color = COLORS[name.partition("-")[0]]
        hatch = None if CONTENDERS[name].precision == FLOAT32 else "////"
        axes.barh(place, found.median, color=color, height=0.7, hatch=hatch, edgecolor="white")
        axes.errorbar(found.median, place, xerr=spread, color="black", linewidth=0.8, capsize=2)
    _limits(axes, results, family, size)
    axes.set_yticks(range(len(names)), [CONTENDERS[name].label for name in names])
    axes.set_ylim(len(names) - 0.4, -1.1)
    axes.set_xlim(left=0)
    batch = results["training"][family.name]["batch_size"]
    axes.set_title(f"{family.name}, {size} px, batch {batch}", loc="left", fontweight="bold")
    axes.set_xlabel("training, images/s")
    axes.spines[["top", "right"]].set_visible(False)


def _limits(axes: Axes, results: Results, family: Family, size: int) -> None:
    farthest = FARTHEST * axes.get_xlim()[1]
    for precision in OURS:
        most = limit(results, family.name, precision)
        rate = (most or 0) / OPERATIONS_PER_MULTIPLY_ADD / family.multiply_adds[size]
        if 0 < rate <= farthest:
            axes.axvline(rate, color=GRAY, linestyle="--", linewidth=1)
            axes.text(rate, -0.75, f"{precision} limit ", ha="right", va="center", color=GRAY)

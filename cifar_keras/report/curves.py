"""Curves as charts: ours, each run and their mean, and the published one behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from cifar_keras.report import text
from cifar_keras.report.chart import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    QUIET,
    VERMILION,
    Chart,
    Panel,
    Stroke,
)
from cifar_keras.report.results import Row
from cifar_keras.report.series import Line, Series, series

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}

# What the originals showed in one figure: file name, title, recipes.
TOGETHER = {
    "system_b": (
        "ResNeXt-101 and ResNet-110 in MXNet",
        (
            "resnext101_finetune",
            "resnext101_finetune_step",
            "resnext101_sgd_pretrained",
            "resnet110_adadelta",
        ),
    ),
    "system_c": ("ResNets in neon", ("resnet20", "resnet32", "resnet56", "resnet110")),
    "system_d": (
        "VGG with and without batch norm and dropout",
        ("vgg_bn_dropout", "vgg_bn", "vgg_dropout", "vgg_plain"),
    ),
}
# A's log has accuracies.
ACCURACY = ("A",)

_EACH = (BLUE, VERMILION, GREEN, PURPLE)
_DASHED, _DOTTED = (4, 3), (1, 1.8)
_RULE = ("step of the rate", Stroke(QUIET, 0.8))
_FAINT = 0.4
_FEW = 30


def curve_charts(rows: Sequence[Row]) -> dict[str, Chart]:
    """File name without its end -> chart: a row that has runs, and what belongs into one figure."""
    charts = {}
    for row in rows:
        if row.samples:
            lines = series(row)
            charts[row.slug] = curve_chart(row, lines)
            if row.recipe.system in ACCURACY:
                charts[f"{row.slug}-accuracy"] = curve_chart(row, lines, accuracy=True)
    # The last of a recipe's rows is kept: one that has runs, float32 before another precision.
    ordered = sorted(reversed(rows), key=lambda row: bool(row.samples))
    full = {row.name: row for row in ordered if row.full}
    for name, (title, recipes) in TOGETHER.items():
        together = [(full[recipe], series(full[recipe])) for recipe in recipes if recipe in full]
        if any(lines.test or lines.published for _, lines in together):
            charts[name] = chart_together(title, together)
    return charts


def curve_chart(row: Row, lines: Series, accuracy: bool = False) -> Chart:
    """Two panels: the whole run, and what follows the first step of the rate; error or accuracy."""
    points = len(lines.test_mean) <= _FEW
    published = (lines.published or _level(row, lines), Stroke(INK, 1.2, _DASHED))
    tested = list(_runs(lines.test, lines.test_mean, BLUE, points))
    trained = list(_runs(lines.train, lines.train_mean, ORANGE, points, thin=True))
    quantity = "accuracy" if accuracy else "error"
    panels = _panels([lines], [published, *trained, *tested], [published, *tested], quantity)
    mean = " (mean)" if len(lines.test) > 1 else ""
    legend = [
        (f"test {quantity}{mean}", Stroke(BLUE, 1.6)),
        (f"train {quantity}{mean}", Stroke(ORANGE, 1)),
    ]
    if mean:
        legend.insert(1, ("each run", Stroke(BLUE, 0.8, alpha=_FAINT)))
    if lines.published:
        legend.append((f"published test {quantity}", published[1]))
    elif published[0] and row.recipe.reference:
        epoch = row.recipe.reference.epoch
        legend.append((f"published test {quantity} of the {epoch} epoch", published[1]))
    if lines.steps:
        legend.append(_RULE)
    return Chart(heading(row), subheading(row), panels, legend)


def _level(row: Row, lines: Series) -> Line:
    """The published figure across the chart where no curve was published; of one view alone."""
    reference = row.recipe.reference
    if not (reference and row.full) or reference.augmented:
        return []
    return [(x, 100 - reference.accuracy) for x in (0.0, lines.last)]


def chart_together(title: str, rows: Sequence[tuple[Row, Series]]) -> Chart:
    """Several recipes in one figure, a colour each: full runs, and what was published."""
    published, trained, legend = [], [], []
    tested: list[tuple[Line, Stroke]] = []
    for (row, lines), color in zip(rows, _EACH, strict=False):
        published.append((lines.published, Stroke(color, 1.2, _DASHED)))
        trained.append((lines.train_mean, Stroke(color, 0.9, _DOTTED)))
        tested += _runs(lines.test, lines.test_mean, color, points=False)
        runs = text.count(len(row.samples), "run") if row.samples else "not run"
        legend.append((f"{row.label} ({runs})", Stroke(color, 1.6)))
    each = [lines for _, lines in rows]
    ran = any(lines.test for lines in each)
    if ran:
        legend += [("test", Stroke(INK, 1.6)), ("train", Stroke(INK, 0.9, _DOTTED))]
    if any(lines.published for lines in each):
        legend.append(("published test", Stroke(INK, 1.2, _DASHED)))
    if any(lines.steps for lines in each):
        legend.append(_RULE)
    panels = _panels(each, [*published, *trained, *tested], [*published, *tested], "error")
    first, _ = rows[0]
    data = DATASETS.get(first.recipe.dataset, first.dataset)
    what = "the mean of each recipe's runs" if ran else "as published; not run yet"
    return Chart(f"{title}, on {data}", what, panels, legend)


def heading(row: Row) -> str:
    """Recipe, precision, title and data set; synthetic data are named as such."""
    data = DATASETS.get(row.recipe.dataset, row.dataset)
    return f"{row.label}: {text.line(row.recipe.title)}, on {data}"


def subheading(row: Row) -> str:
    """How many runs, and in what they are not the recipe."""
    count = len(row.samples)
    parts = [text.count(count, "run")]
    if row.budget != "1":
        kind = "scaled run" if count == 1 else f"{count} scaled runs"
        parts = [f"{kind}: {row.epochs:.4g} of {row.full_epochs:.4g} epochs"]
    elif row.length_differs:
        parts.append(f"{row.epochs:.4g} epochs instead of {row.full_epochs:.4g}")
    if row.note:
        note = text.line(row.note)
        parts.append(note if len(note) < 100 else f"{note[:99]}...")
    if not row.full and row.recipe.reference:
        parts.append("not comparable with the published one")
    return ", ".join(parts)


def _runs(
    each: Sequence[Line], mean: Line, color: str, points: bool, thin: bool = False
) -> Iterator[tuple[Line, Stroke]]:
    width = 1.0 if thin else 1.6
    if len(each) > 1:
        yield from ((line, Stroke(color, width / 2, alpha=_FAINT)) for line in each)
    yield mean, Stroke(color, width, points=points)


def _panels(
    each: Sequence[Series],
    whole: Sequence[tuple[Line, Stroke]],
    zoomed: Sequence[tuple[Line, Stroke]],
    quantity: str,
) -> list[Panel]:
    last, zoom = max(lines.last for lines in each), min(lines.zoom for lines in each)
    # A hair to the right, for the point of the last epoch to be seen whole.
    hair = 0.01 * (last - zoom)
    errors = list(chain.from_iterable(lines.zoomed_errors for lines in each))
    margin = 0.06 * (max(errors) - min(errors)) or 0.5
    top = 1.03 * max(y for line, _ in whole for _, y in line)
    steps = sorted({step for lines in each for step in lines.steps})
    share = each[0].share
    label = "share of the schedule" if share else "epoch"
    near = (max(0.0, min(errors) - margin), max(errors) + margin)
    panels = [
        Panel(whole, steps, (0, last + hair), (0, top), label, "error, %", share),
        Panel(zoomed, steps, (zoom, last + hair), near, label, "test error, %", share),
    ]
    return panels if quantity == "error" else [_of_accuracy(panel) for panel in panels]


def _of_accuracy(panel: Panel) -> Panel:
    lines = [([(x, 100 - y) for x, y in line], stroke) for line, stroke in panel.lines]
    low, high = panel.y
    label = panel.y_label.replace("error", "accuracy")
    return replace(panel, lines=lines, y=(max(0.0, 100 - high), 100 - low), y_label=label)

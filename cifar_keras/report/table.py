"""comparison.md: rows -> tables for readers, the same text for the same rows."""

from collections.abc import Sequence

from cifar_keras.report.results import Results, Row
from cifar_keras.report.samples import DASH, Sample

_INTRODUCTION = """\
# Published figures and ours

Written by `cifar-keras report` from {full} and {other}. Do not edit.
"""

_COLUMNS = """\
- **published**: test accuracy in percent, and in brackets whether it is that of the last or of the
  best epoch, and of how many runs; "from memory" where we have not seen it in its source.
- **ours**: test accuracy in percent after the LAST epoch, on all test images: mean ± sample
  deviation (number of runs). One run has no deviation. A dash stands where there is no run yet:
  `cifar-keras train --recipe NAME`, then `cifar-keras report` fills the row.
- **augmented at test**: the same weights with test-time augmentation, the mean answer to several
  views of each image (`cifar-keras evaluate RUN --tta`). It costs that many times more, and is not
  the headline.
- **difference**: ours minus published, in points; where the published figure is augmented at test,
  so is ours. Where the published figure is a best epoch, it was chosen on the test set and ours was
  not.
- **best epoch, chosen on the test set**: the highest test accuracy of any epoch. It was found by
  looking at the test set, and is no result.
"""

_OTHER = """\
## Scaled or altered runs

Not the whole recipe as it is shipped, so not comparable with the published figure, nor with the
table above.
"""


def comparison_markdown(results: Results) -> str:
    """The report for readers: full runs, other runs, the recipes' sources, the evidence."""
    full = [row for row in results.rows if row.full]
    other = [row for row in results.rows if not row.full]
    introduction = _INTRODUCTION.format(
        full=_count(sum(len(row.samples) for row in full), "full run"),
        other=_count(sum(len(row.samples) for row in other), "scaled or altered run"),
    )
    parts = [introduction, _full_table(full), _COLUMNS]
    if other:
        parts += [_OTHER, _other_table(other)]
    parts += ["## Recipes\n", _recipes_table(full)]
    if any(row.samples for row in results.rows):
        parts.append("## Evidence\n\nFolders are relative to the folder of runs.\n")
        parts += [_evidence(row) for row in results.rows if row.samples]
    if results.left_out:
        parts.append("## Run folders that do not count\n")
        parts.append("".join(f"- `{each.name}`: {each.reason}\n" for each in results.left_out))
    return "\n".join(parts)


# What stands beside the headline, apart from it.
_APART = ("augmented at test, %", "best epoch, chosen on the test set, %")


def _full_table(rows: Sequence[Row]) -> str:
    head = ["recipe", "data", "published, %", "ours, %", "difference", "epochs", "s/epoch"]
    return _aligned(
        [*head, "hardware", *_APART],
        [
            [
                f"{row.name} ({row.note})" if row.note else row.name,
                row.dataset,
                _published(row),
                _ours(row),
                _signed(row.difference),
                f"{row.epochs:.4g}",
                _seconds_per_epoch(row),
                row.hardware,
                _augmented(row),
                _spread(*row.best_on_test),
            ]
            for row in rows
        ],
        right=(2, 3, 4, 5, 6, 8, 9),
    )


def _other_table(rows: Sequence[Row]) -> str:
    head = ["recipe", "what differs", "data", "published (full length), %", "ours, %", "difference"]
    return _aligned(
        [*head, "epochs", "s/epoch", "hardware", *_APART],
        [
            [
                row.name,
                row.note or "length",
                row.dataset,
                _published(row),
                _ours(row),
                DASH,
                _share(row),
                _seconds_per_epoch(row),
                row.hardware,
                _augmented(row),
                _spread(*row.best_on_test),
            ]
            for row in rows
        ],
        right=(3, 4, 5, 7, 9, 10),
    )


def _recipes_table(rows: Sequence[Row]) -> str:
    return _aligned(
        ["recipe", "title", "system", "parameters", "published, %", "source of the published"],
        [
            [
                row.name,
                row.recipe.title,
                row.recipe.system,
                f"{row.parameters:,}",
                _published(row),
                row.recipe.reference.source if row.recipe.reference else DASH,
            ]
            for row in rows
        ],
        right=(3, 4),
    )


def _evidence(row: Row) -> str:
    title = row.name
    if row.budget != "1":
        title += f", budget {row.budget}"
    title += f", {row.note}" if row.note else ""
    table = _aligned(
        ["folder", "seed", "accuracy, %", "revision", "TensorFlow", "Keras", "data", "started"],
        [_run_cells(sample) for sample in row.samples],
        right=(1, 2),
    )
    picture = f"![Error curves of {title}](curves/{row.slug}.svg)"
    return f"### {title}\n\nRecipe `{row.recipe_sha256[:8]}`.\n\n{table}\n{picture}\n"


def _run_cells(sample: Sample) -> list[str]:
    return [
        sample.name,
        str(sample.run.seed),
        f"{sample.accuracy:.2f}",
        sample.revision,
        str(sample.provenance("versions", "tensorflow") or DASH),
        str(sample.provenance("versions", "keras") or DASH),
        sample.data_copy,
        sample.run.started,
    ]


def _aligned(head: list[str], body: list[list[str]], right: Sequence[int]) -> str:
    rows = [[cell.replace("|", "\\|") for cell in row] for row in [head, *body]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    rule = ["-" * (w - 1) + ":" if i in right else "-" * w for i, w in enumerate(widths)]
    places = [">" if i in right else "<" for i in range(len(head))]
    lines = [
        [f"{cell:{place}{width}}" for cell, place, width in zip(row, places, widths, strict=True)]
        for row in rows
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], rule, *lines[1:]])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _spread(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return DASH
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _ours(row: Row) -> str:
    return f"{_spread(row.mean, row.deviation)} ({len(row.samples)})" if row.samples else DASH


def _augmented(row: Row) -> str:
    mean, deviation, count = row.augmented
    return f"{_spread(mean, deviation)} ({count})" if count else DASH


def _published(row: Row) -> str:
    reference = row.recipe.reference
    if reference is None:
        return DASH
    runs = _count(reference.runs, "run")
    if reference.statistic != "single":
        runs = f"{reference.statistic} of {runs}"
    unverified = "" if reference.verified else ", from memory"
    augmented = ", augmented at test" if reference.augmented else ""
    return f"{reference.accuracy:.2f} ({reference.epoch}, {runs}{augmented}{unverified})"


def _signed(points: float | None) -> str:
    # Adding 0 turns a rounded -0.0 into 0.0.
    return DASH if points is None else f"{round(points, 2) + 0:+.2f}"


def _share(row: Row) -> str:
    text = f"{row.epochs:.4g}"
    if row.length_differs:
        text += f" of {row.full_epochs:.4g}"
    return text if row.budget == "1" else f"{text} (budget {row.budget})"


def _seconds_per_epoch(row: Row) -> str:
    return DASH if row.seconds is None else f"{row.seconds / row.epochs:.3g}"

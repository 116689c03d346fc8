"""comparison.md: rows -> tables for readers, the same text for the same rows."""

from collections.abc import Sequence

from cifar_keras.report import text
from cifar_keras.report.results import Results, Row
from cifar_keras.report.samples import DASH, Sample
from cifar_keras.report.systems import SYSTEMS
from cifar_keras.report.verdict import verdict

_INTRODUCTION = """\
# Published figures and ours

Written by `cifar-keras report` from {full} and {other}. Do not edit. The same with every curve to
look into: `index.html`; with the originals' own tables, a page a system: {pages}.
"""

_COLUMNS = """\
- **recipe**: its name, and in brackets the precision in which these runs were computed, where that
  is not float32. Runs of two precisions never share a row; each row has a verdict of its own.
- **published**: test accuracy in percent, and in brackets whether it is that of the last or of the
  best epoch, and of how many runs.
- **ours**: test accuracy in percent after the LAST epoch, on all test images: mean ± sample
  deviation (number of runs). One run has no deviation. A dash stands where there is no run yet:
  `cifar-keras train --recipe NAME`, then `cifar-keras report` fills the row.
- **augmented at test**: the same weights with test-time augmentation, the mean answer to several
  views of each image (`cifar-keras evaluate RUN --tta`). It costs that many times more, and is not
  the headline.
- **difference**: ours less published, in points, like with like: a figure augmented at test with
  ours augmented, a best epoch with our best epochs, the best of several runs with their mean where
  that is known.
- **verdict**: by the rule of `docs/verdict.md`.
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
    systems = sorted({row.recipe.system for row in full} & SYSTEMS.keys())
    introduction = _INTRODUCTION.format(
        full=text.count(sum(len(row.samples) for row in full), "full run"),
        other=text.count(sum(len(row.samples) for row in other), "scaled or altered run"),
        pages=", ".join(f"[{s}](system_{s.lower()}.md)" for s in systems) or DASH,
    )
    parts = [introduction, _full_table(full), text.MARKS, _COLUMNS]
    if other:
        parts += [_OTHER, _other_table(other)]
    parts += ["## Recipes\n", _recipes_table(full)]
    if any(row.samples for row in results.rows):
        parts.append("## Evidence\n\nFolders are relative to the folder of runs.\n")
        parts += [_evidence(row) for row in results.rows if row.samples]
    if results.left_out:
        parts.append("## Run folders that do not count\n")
        lines = [f"- {text.code(e.name)}: {text.escaped(e.reason)}\n" for e in results.left_out]
        parts.append("".join(lines))
    return "\n".join(parts)


# What stands beside the headline, apart from it.
_APART = ("augmented at test, %", "best epoch, chosen on the test set, %")


def _full_table(rows: Sequence[Row]) -> str:
    head = ["recipe", "data", "published, %", "ours, %", "smallest to largest", "difference"]
    return text.markdown_table(
        [*head, "verdict", "epochs", "s/epoch", "hardware", *_APART],
        [
            [
                f"{row.label} ({text.escaped(row.note)})" if row.note else row.label,
                row.dataset,
                text.published(row.recipe.reference),
                text.spread(row.last),
                text.extent(row.last),
                text.signed(verdict(row).difference),
                verdict(row).text,
                f"{row.epochs:.4g}",
                text.seconds_per_epoch(row),
                text.escaped(row.hardware),
                text.spread(row.augmented),
                text.spread(row.best),
            ]
            for row in rows
        ],
        right=(2, 3, 4, 5, 7, 8, 10, 11),
    )


def _other_table(rows: Sequence[Row]) -> str:
    head = ["recipe", "what differs", "data", "published (full length), %", "ours, %"]
    return text.markdown_table(
        [*head, "smallest to largest", "verdict", "epochs", "s/epoch", "hardware", *_APART],
        [
            [
                row.label,
                text.escaped(row.note or "length"),
                row.dataset,
                text.published(row.recipe.reference),
                text.spread(row.last),
                text.extent(row.last),
                verdict(row).text,
                text.epochs(row),
                text.seconds_per_epoch(row),
                text.escaped(row.hardware),
                text.spread(row.augmented),
                text.spread(row.best),
            ]
            for row in rows
        ],
        right=(3, 4, 5, 7, 8, 10, 11),
    )


def _recipes_table(rows: Sequence[Row]) -> str:
    recipes = {row.name: row for row in rows}
    return text.markdown_table(
        ["recipe", "title", "system", "parameters", "published, %", "source of the published"],
        [
            [
                row.name,
                text.escaped(row.recipe.title),
                text.escaped(row.recipe.system),
                f"{row.parameters:,}",
                text.published(row.recipe.reference),
                text.escaped(row.recipe.reference.source) if row.recipe.reference else DASH,
            ]
            for row in recipes.values()
        ],
        right=(3, 4),
    )


def _evidence(row: Row) -> str:
    table = text.markdown_table(
        ["folder", "seed", "accuracy, %", "revision", "TensorFlow", "Keras", "data", "started"],
        [_run_cells(sample) for sample in row.samples],
        right=(1, 2),
    )
    title = text.escaped(text.title(row))
    picture = f"![Error curves of {title}](curves/{row.slug}.svg)"
    return f"### {title}\n\nRecipe `{row.recipe_sha256[:8]}`.\n\n{table}\n{picture}\n"


def _run_cells(sample: Sample) -> list[str]:
    return [
        text.escaped(sample.name),
        str(sample.run.seed),
        f"{sample.accuracy:.2f}",
        text.escaped(sample.revision),
        text.escaped(sample.provenance("versions", "tensorflow") or DASH),
        text.escaped(sample.provenance("versions", "keras") or DASH),
        sample.data_copy,
        text.escaped(sample.run.started),
    ]

"""Write comparison.md: the rows as tables. The same rows give the same text."""

from cifar_keras.listing import counted
from cifar_keras.report import text
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Results, Row
from cifar_keras.report.systems import SYSTEMS

# A table has at most eight columns; comparison.csv has the others.
_FULL: list[text.Column] = [
    ("recipe", lambda row: row.label + (f" ({text.escaped(row.note)})" if row.note else "")),
    *text.columns("data", "published, %", "ours, %", "with TTA, %", "difference", "verdict"),
    ("epochs", lambda row: f"{row.epochs:.4g}"),
]
_OTHERS: list[text.Column] = [
    *text.columns("recipe", "what differs", "data"),
    text.column("published, %", "published (full length), %"),
    *text.columns("ours, %", "with TTA, %", "verdict", "epochs"),
]
_RECIPES: list[text.Column] = [
    ("recipe", lambda row: row.name),
    ("title", lambda row: text.escaped(row.recipe.title)),
    ("system", lambda row: text.escaped(row.recipe.system)),
    ("parameters", lambda row: f"{row.parameters:,}"),
    text.column("published, %"),
    (
        "source of the published",
        lambda row: text.escaped(row.recipe.reference.source) if row.recipe.reference else DASH,
    ),
]
_RUN: list[text.Column] = [
    ("folder", lambda run: text.escaped(run.folder)),
    ("accuracy, %", lambda run: f"{run.accuracy:.2f}"),
    ("weights", lambda run: "kept" if run.weights else DASH),
    ("revision", lambda run: text.escaped(run.revision)),
    ("TensorFlow", lambda run: text.escaped(run.versions["tensorflow"])),
    ("Keras", lambda run: text.escaped(run.versions["keras"])),
    ("data", lambda run: run.data_copy),
    ("started", lambda run: text.escaped(run.started)),
]


_OTHER = """\
## Scaled or modified runs

These are not full runs of the shipped recipe, so they are comparable neither with the published
figure nor with the table above.

"""


_EVIDENCE = """\
## Evidence

Folders are relative to the folder of runs. Where the weights are kept, `cifar-keras verify`
computes the accuracy again from them; of other runs it can only check that their files agree.
"""


def comparison_markdown(results: Results) -> str:
    """Return the page: full and other runs, the recipes' sources, and the evidence."""
    full = [row for row in results.rows if row.full]
    other = [row for row in results.rows if row.counts and not row.full]
    systems = sorted({row.recipe.system for row in full} & SYSTEMS.keys())
    parts = [text.markdown_table(_RECIPES, {row.name: row for row in full}.values())]
    if evidence := [_evidence(row) for row in results.rows if not row.runs.empty]:
        parts += [_EVIDENCE, *evidence]
    if begun := text.unfinished_table(results.rows):
        parts += ["## Unfinished runs\n", begun]
    if results.left_out:
        lines = [f"- {text.code(e.name)}: {text.escaped(e.reason)}\n" for e in results.left_out]
        parts += ["## Run folders that were left out\n", "".join(lines)]
    return text.template("comparison.md").format(
        full=counted(sum(len(row.runs) for row in full), "full run"),
        other=counted(sum(len(row.runs) for row in other), "scaled or modified run"),
        pages=", ".join(f"[{s}](system_{s.lower()}.md)" for s in systems) or DASH,
        table=text.markdown_table(_FULL, full),
        marks=text.MARKS,
        others=_others(other),
        recipes_and_evidence="\n".join(parts).rstrip("\n"),
    )


def _others(rows: list[Row]) -> str:
    tables = [text.markdown_table(_OTHERS, rows), text.validation_table(rows)]
    return _OTHER + "".join(f"{table}\n" for table in tables if table) if rows else ""


def _evidence(row: Row) -> str:
    table = text.markdown_table(_RUN, row.each)
    title = text.escaped(text.title(row))
    picture = f"![Error curves of {title}](curves/{row.slug}.svg)"
    return f"### {title}\n\nRecipe `{row.recipe_sha256[:8]}`.\n\n{table}\n{picture}\n"

"""Write reports/recipes.md: all shipped recipes by system."""

from collections.abc import Sequence

from cifar_keras.lengths import measured_seconds
from cifar_keras.listing import duration
from cifar_keras.report import text
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.systems import SYSTEMS
from cifar_keras.report.verdict import verdict


def recipe_list(rows: Sequence[Row]) -> str:
    """Return the page; of `rows`, the rows of a report, it uses the full ones in float32."""
    recipes = [row for row in rows if row.full and row.recipe.precision == "float32"]
    sections = [
        _section(
            f"{system.name} (system {key})",
            f"{system.title}. [Results](system_{key.lower()}.md).",
            [row for row in recipes if row.recipe.system == key],
        )
        for key, system in SYSTEMS.items()
    ]
    others = [row for row in recipes if row.recipe.system not in SYSTEMS]
    sections.append(_section("Other recipes", "", others))
    return text.template("recipes.md").format(
        count=len(recipes), marks=text.MARKS, sections="\n".join(filter(None, sections)).rstrip()
    )


def _section(title: str, words: str, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    intro = f"{words}\n\n" if words else ""
    return f"## {title}\n\n{intro}{text.markdown_table(_COLUMNS, rows, words=['full run'])}"


def _length(row: Row) -> str:
    seconds = measured_seconds(row.name)
    return DASH if seconds is None else duration(seconds)


_COLUMNS: list[text.Column] = [
    ("recipe", lambda row: f"[`{row.name}`](../recipes/{row.name}.yaml)"),
    ("title", lambda row: text.escaped(row.recipe.title)),
    ("data", lambda row: row.recipe.dataset),
    ("parameters", lambda row: f"{row.parameters:,}"),
    ("epochs", lambda row: f"{row.epochs:.4g}"),
    ("full run", _length),
    text.column("published, %"),
    ("verdict", lambda row: verdict(row).text),
]

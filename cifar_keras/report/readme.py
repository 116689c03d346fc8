"""Write what README.md says of the results."""

import re
from collections.abc import Sequence
from pathlib import Path

from cifar_keras.report import text
from cifar_keras.report.curves import DATASETS
from cifar_keras.report.finished import DASH
from cifar_keras.report.results import Row
from cifar_keras.report.systems import SYSTEMS
from cifar_keras.report.verdict import verdict

_ROOT = Path(__file__).resolve().parent.parent.parent


def checkout() -> Path | None:
    """Return the checkout that this package runs from; None if it is installed without one."""
    there = (_ROOT / "README.md").is_file() and (_ROOT / "reports" / "published").is_dir()
    return _ROOT if there else None


def full_name(row: Row) -> str:
    """Return title, recipe name, precision and data set: "ResNet-20 (`resnet20`) on CIFAR-10"."""
    title, name = text.escaped(row.recipe.title), text.code(row.name)
    named = row.named(name if row.recipe.title == row.name else f"{title} ({name})")
    dataset = DATASETS.get(row.recipe.dataset, row.recipe.dataset)
    # The title may also name another data set: "CIFAR-100 speed run on CIFAR-10".
    return named if re.search(rf"{dataset}(?!\d)", row.recipe.title) else f"{named} on {dataset}"


def results(rows: Sequence[Row]) -> str:
    """Return table, picture and links, for README.md."""
    recipes = len({row.name for row in rows if row.full})
    full = [row for row in rows if row.full and not row.runs.empty]
    # Rows with a published result come first.
    full.sort(key=lambda row: row.recipe.reference is None)
    done = len({row.name for row in full})
    pages = ",\n".join(
        f"[{system.name} (system {key})](reports/system_{key.lower()}.md)"
        for key, system in SYSTEMS.items()
    )
    summary = (
        f"{done} of {recipes} recipes have full runs so far. Each published work, here called a "
        f"system, has a page:\n{pages}.\n"
    )
    if not full:
        return summary
    table = text.markdown_table(_COLUMNS, full)
    # Show the row with the best evidence: a published curve, then the most runs.
    shown = max(full, key=lambda row: (row.curve is not None, len(row.runs)))
    title = text.escaped(text.title(shown))
    figure = f"![Error curves of {title}](reports/curves/{shown.slug}.svg)\n"
    return f"{table}\n{figure}\n{summary}"


def _published(row: Row) -> str:
    reference = row.recipe.reference
    if reference is None:
        return DASH
    figure = text.published(reference).partition(" (")[0]
    return f"{figure}, with TTA" if reference.augmented else figure


def _ours(row: Row) -> str:
    """Return our figure to compare with the published one, and its kind unless last epoch."""
    reference = row.recipe.reference
    if not row.compared.count() or reference is None:
        return text.spread(row.runs["accuracy"])
    if reference.augmented:
        return f"{text.spread(row.compared)}, with TTA"
    return text.spread(row.compared) + (", best epoch" if reference.epoch == "best" else "")


_COLUMNS: list[text.Column] = [
    ("recipe", full_name),
    ("published, %", _published),
    ("ours, %", _ours),
    ("verdict", lambda row: verdict(row).text),
]

"""The results in README.md: what stands between two markers is written by the report."""

from collections.abc import Sequence
from pathlib import Path

from cifar_keras.errors import RunError
from cifar_keras.report import text
from cifar_keras.report.results import Row
from cifar_keras.report.verdict import verdict

_ROOT = Path(__file__).resolve().parent.parent.parent
BEGIN = "<!-- results: written by `cifar-keras report` -->"
END = "<!-- end of results -->"

_COLUMNS: list[text.Column] = [
    ("recipe", lambda row: row.named(f"`{row.name}`")),
    *text.columns("data", "published, %"),
    text.column("ours, %", "ours, last epoch, %"),
    *text.columns("augmented at test, %", "epochs", "verdict", "evidence"),
]


def checkout() -> Path | None:
    """Return the checkout that this package runs from; None where it is installed without one."""
    there = (_ROOT / "README.md").is_file() and (_ROOT / "reports" / "published").is_dir()
    return _ROOT if there else None


def with_results(readme: str, rows: Sequence[Row]) -> str:
    """Return the README's text with the results of these rows between its markers.

    Raises:
        RunError: it has not got both markers, once and in order.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise RunError(f"README.md needs a line '{BEGIN}' and, below it, one line '{END}'")
    return f"{before}{BEGIN}\n{_results(rows)}{END}{after}"


def _results(rows: Sequence[Row]) -> str:
    run = [row for row in rows if not row.runs.empty]
    full = [row for row in run if row.full]
    recipes, whole = (len({row.name for row in each}) for each in (rows, full))
    summary = (
        f"Run whole: {whole} of {recipes} recipes{_verdicts(full)}. Scaled or altered: "
        f"{len(run) - len(full)}.\n"
    )
    if not run:
        return summary
    table = text.markdown_table(_COLUMNS, run)
    # The fullest evidence: full runs before others, then a published curve, then the most runs.
    shown = max(run, key=lambda row: (row.full, row.curve is not None, len(row.runs)))
    title = text.escaped(text.title(shown))
    figure = f"![Error curves of {title}](reports/curves/{shown.slug}.svg)\n"
    return f"{summary}\n{table}\n{figure}"


def _verdicts(full: Sequence[Row]) -> str:
    texts = [row.recipe.named(verdict(row).text) for row in full]
    counts = [f"{each}: {texts.count(each)}" for each in dict.fromkeys(texts)]
    return f" ({'; '.join(counts)})" if counts else ""

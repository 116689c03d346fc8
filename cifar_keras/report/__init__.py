"""Compare runs with the published results: run folders -> tables, pages and curves."""

from collections.abc import Container, Sequence
from pathlib import Path

from cifar_keras.files import unwritable, write_bytes
from cifar_keras.recipe import Recipe
from cifar_keras.report.cards import model_cards
from cifar_keras.report.comparison import comparison
from cifar_keras.report.curves import curve_figures
from cifar_keras.report.figure import CREATOR, picture, settings
from cifar_keras.report.finished import LeftOut
from cifar_keras.report.marked import with_written
from cifar_keras.report.page import index_html
from cifar_keras.report.precisions import precisions
from cifar_keras.report.readme import checkout, results
from cifar_keras.report.recipe_list import recipe_list
from cifar_keras.report.results import Results, Row, collect
from cifar_keras.report.system_page import system_page
from cifar_keras.report.systems import SYSTEMS
from cifar_keras.report.table import comparison_markdown

__all__ = ["LeftOut", "Results", "Row", "checkout", "collect", "write_report"]

# The files of a report, and how many of their first bytes contain CREATOR.
_KINDS = ("curves/*.svg", "curves/*.png", "system_*.md", "cards/card_*.md")
_HEAD = 4096

# What is written into documents of the checkout.
_WRITTEN = [
    ("README.md", "results", results),
    ("docs/precision.md", "precisions", precisions),
]


def write_report(
    recipes: Sequence[tuple[str, Recipe]],
    roots: Sequence[Path],
    out: Path,
    *,
    committed: Path | None = None,
    root: Path | None = None,
) -> list[Path]:
    """Write the whole report below `out`; return the paths.

    Figures, pages and cards of an earlier report that no longer have runs are removed.

    Args:
        recipes: name and recipe of each row that is shown even without runs.
        roots: folders of run folders; see `finished_runs` for runs that are below two of them.
        out: the folder to write into.
        committed: a folder of run folders that are shown in rows of their own.
        root: a checkout, in whose README.md and docs/precision.md the results are written; the
            list of recipes is written, too.

    Raises:
        RunError: `out` or `root` cannot be written.
    """
    found = collect(recipes, roots, committed)
    cards = model_cards(found.rows, out / "runs")
    curves = pictures(found.rows)
    texts = {
        out / "comparison.md": comparison_markdown(found),
        out / "comparison.csv": comparison(found.rows).to_csv(index=False, lineterminator="\n"),
        out / "index.html": index_html(
            found.rows, cards, rule="../docs/verdict.md" if root else None
        ),
    }
    for key in sorted({row.recipe.system for row in found.rows} & SYSTEMS.keys()):
        texts[out / f"system_{key.lower()}.md"] = system_page(key, found.rows, curves)
    texts |= {out / "cards" / name: card for name, card in cards.items()}
    if root:
        for name, what, write in _WRITTEN:
            document = (root / name).read_text(encoding="utf-8")
            texts[root / name] = with_written(name, document, what, write(found.rows))
        texts[out / "recipes.md"] = recipe_list(found.rows)
    contents = {path: text.encode() for path, text in texts.items()}
    contents |= {out / "curves" / name: content for name, content in curves.items()}
    for path, content in contents.items():
        # Flushing a file to disk takes longer than computing it.
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)
    _remove_stale(out, keep=contents)
    return list(contents)


def pictures(rows: Sequence[Row]) -> dict[str, bytes]:
    """Return file name -> content: each figure of these rows as SVG and PNG."""
    with settings():
        return {
            f"{name}.{kind}": picture(figure, kind)
            for name, figure in curve_figures(rows).items()
            for kind in ("svg", "png")
        }


def _remove_stale(out: Path, keep: Container[Path]) -> None:
    """Remove the figures, pages and cards of earlier reports below `out`, except `keep`."""
    for path in sorted(path for kind in _KINDS for path in out.glob(kind)):
        try:
            if path not in keep and CREATOR.encode() in path.read_bytes()[:_HEAD]:
                path.unlink()
        except OSError as error:
            raise unwritable(path, error) from None

"""What was reproduced, how well, and on what evidence: run folders -> tables and curves."""

from collections.abc import Sequence
from pathlib import Path

from cifar_keras.files import write_bytes
from cifar_keras.recipe import Recipe
from cifar_keras.report.csv_table import comparison_csv
from cifar_keras.report.own import remove_stale
from cifar_keras.report.results import Results, Row, collect
from cifar_keras.report.samples import LeftOut
from cifar_keras.report.table import comparison_markdown

__all__ = ["LeftOut", "Results", "Row", "collect", "write_report"]


def write_report(
    recipes: Sequence[tuple[str, Recipe]], roots: Sequence[Path], out: Path
) -> list[Path]:
    """Write comparison.md, comparison.csv and curves/ below `out`; return their paths.

    `roots` are folders of runs; see `read_samples` for a run that lies below two of them. Curves of
    an earlier report that have no runs any more are removed.

    Raises:
        RunError: `out` cannot be written.
    """
    results = collect(recipes, roots)
    contents = {
        out / "comparison.md": comparison_markdown(results).encode(),
        out / "comparison.csv": comparison_csv(results.rows).encode(),
    }
    if any(row.samples for row in results.rows):
        # Importing matplotlib takes longer than all the rest.
        from cifar_keras.report.curves import curve_pictures

        for name, picture in curve_pictures(results.rows).items():
            contents[out / "curves" / name] = picture
    for path, content in contents.items():
        write_bytes(path, content)
    remove_stale(out / "curves", keep=contents)
    return list(contents)

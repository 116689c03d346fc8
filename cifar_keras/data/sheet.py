"""A picture of labeled sample images."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cifar_keras.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_INCHES = 0.9
DOTS_PER_INCH = 120


def write_sheet(
    path: str | Path,
    rows: Sequence[tuple[str, NDArray[np.uint8]]],
    labels: Sequence[str],
    caption: str,
) -> None:
    """Write a PNG with one row of images per title and one column per label.

    An incomplete file never appears.

    Args:
        path: Where to write; its folder is created if it does not exist.
        rows: Titles and images, uint8 of shape (n, height, width, 3), the same n in every row.
        labels: n names, written above the columns.
        caption: One line at the top, such as the data set and whether it is synthetic.

    Raises:
        ValueError: If the number of images in a row is not that of the labels.
        RunError: If the file cannot be written.
    """
    for title, images in rows:
        if len(images) != len(labels):
            raise ValueError(
                f"row {title!r} must have {len(labels)} images, one per label. "
                f"Received: {len(images)}"
            )
    # Matplotlib imports slowly, and reading data does not need it.
    from matplotlib import rc_context

    picture = io.BytesIO()
    # A dollar sign in a name must not start a formula.
    with rc_context({"text.parse_math": False}):
        figure = _draw(rows, labels, caption)
    # Without the software version, unchanged images give unchanged bytes.
    figure.savefig(picture, format="png", metadata={"Software": None})
    write_bytes(Path(path), picture.getvalue())


def _draw(
    rows: Sequence[tuple[str, NDArray[np.uint8]]], labels: Sequence[str], caption: str
) -> "Figure":
    from matplotlib.figure import Figure

    left, top, margin = 1.1, 0.75, 0.08
    right = left + CELL_INCHES * len(labels)
    # A bold character of 10 points is at most 0.09 inches wide on average.
    width = max(right, 0.09 * len(caption)) + margin
    height = top + CELL_INCHES * len(rows) + margin
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    figure.text(margin / width, 1 - 0.12 / height, caption, va="top", fontsize=10, weight="bold")
    grid = figure.subplots(
        len(rows),
        len(labels),
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": right / width,
            "top": 1 - top / height,
            "bottom": margin / height,
            "wspace": 0.06,
            "hspace": 0.06,
        },
    )
    for axes_row, (title, images) in zip(grid, rows, strict=True):
        for axes, image in zip(axes_row, images, strict=True):
            axes.imshow(image, interpolation="nearest")
            axes.set_axis_off()
        axes_row[0].text(
            -0.08, 0.5, title, transform=axes_row[0].transAxes, ha="right", va="center", fontsize=8
        )
    for axes, label in zip(grid[0], labels, strict=True):
        words = label.replace("_", " ").replace(" ", "\n", 1)
        axes.set_title(words, fontsize=8, pad=3)
    return figure

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from cifar_keras.data.sheet import write_sheet
from cifar_keras.errors import RunError


def _red(count: int) -> np.ndarray:
    images = np.zeros((count, 32, 32, 3), np.uint8)
    images[..., 0] = 255
    return images


def test_a_sheet_is_a_png_with_a_cell_an_image(tmp_path: Path) -> None:
    write_sheet(
        tmp_path / "sheet.png", [("plain", _red(3)), ("flipped", _red(3))], list("abc"), "x"
    )

    pixels = matplotlib.image.imread(tmp_path / "sheet.png")
    red = (pixels[..., :3] == (1, 0, 0)).all(axis=2)
    # A line through the middle of a row or column enters red once per cell.
    lines = [np.diff(line.astype(int)).tolist().count(1) for line in red]
    columns = [np.diff(line.astype(int)).tolist().count(1) for line in red.T]
    assert max(lines) == 3
    assert max(columns) == 2


def test_only_the_sheet_is_left_in_the_folder(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", [("plain", _red(2))], ["a", "b"], "caption")

    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_sheet(tmp_path / name, [("plain", _red(1))], ["a"], "caption")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_row_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row 'plain' must have 2 images.* Received: 3"):
        write_sheet(tmp_path / "sheet.png", [("plain", _red(3))], ["a", "b"], "caption")


def test_a_file_in_the_way_is_an_error_and_stays(tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.write_text("mine")

    with pytest.raises(RunError, match=r"cannot write .*sheet.png"):
        write_sheet(way / "sheet.png", [("plain", _red(1))], ["a"], "caption")

    assert way.read_text() == "mine"


def test_a_dollar_in_a_name_is_a_dollar(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", [(r"$\plain", _red(1))], [r"$\frac$"], r"a $\caption$")

    assert (tmp_path / "sheet.png").is_file()

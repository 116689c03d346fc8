import numpy as np
import pytest
from PIL import Image

from cifar_keras.errors import DataError
from cifar_keras.images import read_images

PIXELS = np.random.RandomState(0).randint(0, 256, (32, 32, 3)).astype(np.uint8)


def test_an_image_of_the_right_size_is_read_as_it_is(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")

    images, notes = read_images([tmp_path / "a.png"])

    np.testing.assert_array_equal(images, PIXELS[None])
    assert (images.dtype, notes) == (np.uint8, [])


def test_another_size_is_resized_and_said(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(path)

    images, notes = read_images([path])

    np.testing.assert_array_equal(images, np.full((1, 32, 32, 3), 90))
    assert notes == [f"'{path}' is resized from 64x48 to 32x32"]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK"])
def test_every_kind_of_colours_becomes_rgb(tmp_path, mode):
    ending = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(PIXELS).convert(mode).save(tmp_path / f"a.{ending}")

    assert read_images([tmp_path / f"a.{ending}"])[0].shape == (1, 32, 32, 3)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError) as caught:
        read_images([tmp_path / "a.png"])

    assert str(caught.value) == f"image '{tmp_path}/a.png' is not there; correct the path"


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut"])
def test_a_file_that_is_no_image_is_one_line(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(DataError) as caught:
        read_images([tmp_path / "a.png"])

    assert str(caught.value).startswith(f"cannot read '{tmp_path}/a.png' as an image: ")
    assert str(caught.value).endswith("; give a PNG, JPEG or the like")
    assert "\n" not in str(caught.value)


def test_an_image_that_was_cut_is_told(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:1500])

    with pytest.raises(DataError, match=r"cannot read .*a\.png' as an image: "):
        read_images([path])


def test_a_folder_is_told(tmp_path):
    with pytest.raises(DataError, match="Is a directory"):
        read_images([tmp_path])

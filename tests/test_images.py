import io
import os
import shutil

import numpy as np
import pytest
from hostile import answer, tree
from hypothesis import given
from hypothesis import strategies as st
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
def test_every_kind_of_colors_becomes_rgb(tmp_path, mode):
    ending = "jpg" if mode == "CMYK" else "png"
    Image.fromarray(PIXELS).convert(mode).save(tmp_path / f"a.{ending}")

    assert read_images([tmp_path / f"a.{ending}"])[0].shape == (1, 32, 32, 3)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError) as caught:
        read_images([tmp_path / "a.png"])

    assert str(caught.value) == f"image '{tmp_path}/a.png' does not exist; correct the path"


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut"])
def test_a_file_that_is_no_image_is_one_line(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)

    with pytest.raises(DataError) as caught:
        read_images([tmp_path / "a.png"])

    assert str(caught.value).startswith(f"cannot read '{tmp_path}/a.png' as an image: ")
    assert str(caught.value).endswith("; use PNG or JPEG, for example")
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


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_of_16_bits_the_upper_eight_are_taken(tmp_path, ending, dtype):
    levels = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64
    Image.fromarray(levels.astype(dtype)).save(tmp_path / f"a.{ending}")

    images, _ = read_images([tmp_path / f"a.{ending}"])

    np.testing.assert_array_equal(images[0], np.stack([levels // 256] * 3, axis=-1))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_32_bits_are_refused(tmp_path, dtype):
    Image.fromarray(np.ones((32, 32), dtype)).save(tmp_path / "a.tif")

    with pytest.raises(DataError) as caught:
        read_images([tmp_path / "a.tif"])

    assert str(caught.value) == (
        f"image '{tmp_path}/a.tif' has 32-bit pixels, whose range is unknown; save it with 8 bits"
    )


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_transparent_parts_are_shown_on_white_and_said(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    pixels = np.full((32, 32, 4), 255, np.uint8)
    pixels[..., :3] = PIXELS // 2
    pixels[:16, :, 3] = 0
    Image.fromarray(pixels).save(path, lossless=True)

    images, notes = read_images([path])

    assert (images[0, :16] == 255).all()
    np.testing.assert_array_equal(images[0, 16:], PIXELS[16:] // 2)
    assert notes == [f"'{path}' has transparent parts; they become white"]


def test_a_transparent_color_is_shown_on_white(tmp_path):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:16] = 7
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=7)

    images, _ = read_images([tmp_path / "a.png"])

    assert (images[0, :16] == 255).all()
    assert (images[0, 16:] == 0).all()


@pytest.mark.parametrize("ending", ["gif", "tif", "png", "webp"])
def test_several_pictures_in_a_file_are_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(PIXELS).save(path, save_all=True, append_images=[Image.fromarray(255 - PIXELS)])

    with pytest.raises(DataError) as caught:
        read_images([path])

    assert str(caught.value) == (
        f"image '{path}' holds several images; save one of them as a file of its own"
    )


def test_of_a_cameras_jpeg_with_a_preview_the_picture_is_read(tmp_path):
    first, second = (Image.fromarray(np.full((32, 32, 3), gray, np.uint8)) for gray in (80, 160))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])

    assert (read_images([tmp_path / "a.jpg"])[0] == 80).all()


def test_no_other_program_is_started_for_a_file(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("gs")
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EOF\n")

    with pytest.raises(DataError, match="its format is none of PNG, JPEG, GIF"):
        read_images([tmp_path / "a.png"])

    assert not (tmp_path / "started").exists()


def test_what_is_no_regular_file_of_plausible_size_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(40 * 10**9)
    refusal = "cannot read '{}' as an image: {}; use PNG or JPEG, for example"

    for name, told in [
        ("pipe.png", "not a regular file"),
        ("zero.png", "not a regular file"),
        ("sparse.png", "40,000,000,000 bytes, more than 268,435,456"),
    ]:
        path = tmp_path / name
        assert answer(lambda path=path: read_images([path])) == refusal.format(path, told)


def test_a_damaged_tiff_is_one_line_without_those_of_libtiff(tmp_path, capfd):
    content = bytearray(encoded("RGB", "TIFF", compression="tiff_deflate"))
    content[200:300] = bytes(100)
    (tmp_path / "a.tif").write_bytes(content)

    assert "cannot read" in answer(lambda: read_images([tmp_path / "a.tif"]))
    assert capfd.readouterr().err == ""


def test_an_image_of_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (20_000, 20_000)).save(path)

    assert "exceeds limit of" in answer(lambda: read_images([path]))


def encoded(mode, ending, **options):
    stored = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stored, ending, **options)
    return stored.getvalue()


VALID = [
    *(encoded(mode, "PNG") for mode in ("RGB", "RGBA", "LA", "P", "1")),
    *(encoded("RGB", ending) for ending in ("JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")),
    encoded("RGB", "TIFF", compression="tiff_lzw"),
    encoded(
        "RGB",
        "JPEG",
        exif=bytes.fromhex("4578696600004d4d002a000000080001011200030000000100060000"),
    ),
    encoded("RGB", "GIF", save_all=True, append_images=[Image.fromarray(PIXELS // 2)]),
]


@pytest.mark.fuzz
@given(st.sampled_from(VALID), st.data())
def test_a_damaged_image_is_an_image_or_one_clear_line(tmp_path, content, data):
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        # Sizes, offsets and lengths stand in the first bytes of most formats.
        place = data.draw(st.integers(0, 64) | st.integers(0, len(changed)))
        changed[place : place + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4])
        )
    (tmp_path / "a").write_bytes(changed)
    before = tree(tmp_path)

    found = answer(lambda: read_images([tmp_path / "a"]))

    assert isinstance(found, str) or found[0].shape == (1, 32, 32, 3)
    assert tree(tmp_path) == before

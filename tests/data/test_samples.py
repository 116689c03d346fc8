import numpy as np
import pytest

from cifar_keras.data import Dataset, Split, samples
from cifar_keras.recipe import load_recipe, recipe_path

IMAGES = np.random.RandomState(0).randint(0, 256, (12, 32, 32, 3)).astype(np.uint8)
SPLIT = Split(IMAGES, np.arange(12) % 10)
DATASET = Dataset("cifar10", SPLIT, SPLIT, tuple("abcdefghij"), provenance={"synthetic": False})


@pytest.fixture
def sheet(monkeypatch, tmp_path):
    """Return the rows of images that a recipe's sheet shows, by their names."""

    def rows_of(name, *overrides):
        sheets = []
        monkeypatch.setattr(samples, "write_sheet", lambda path, rows, *_: sheets.append(rows))
        data = load_recipe(recipe_path(name), overrides).data
        samples.write_samples(tmp_path / "sheet.png", DATASET, data, name, seed=1)
        return dict(sheets[0])

    return rows_of


# Recipes with zero padding, a mean image, a contrast normalization, and mixed labels.
@pytest.mark.parametrize("name", ["resnet110_he", "inception_leaky", "nin_leaky", "highway19"])
def test_a_sheet_shows_gray_levels_whatever_the_normalization(name, sheet):
    rows = sheet(name, "data.flip=none", "data.padding=none", "data.pad=0", "data.crop=32")

    np.testing.assert_array_equal(rows["plain"], IMAGES[:10])
    np.testing.assert_array_equal(rows[f"{name}, draw 1"], IMAGES[:10])


def test_a_sheet_shows_each_image_in_its_column_three_times_anew(sheet):
    rows = sheet("resnet20", "data.padding=none", "data.pad=0")

    augmented = [rows[f"resnet20, draw {draw}"] for draw in (1, 2, 3)]
    for images in augmented:
        for image, plain in zip(images, IMAGES, strict=False):
            assert np.array_equal(image, plain) or np.array_equal(image, plain[:, ::-1])
    assert len({images.tobytes() for images in augmented}) == 3


def test_a_sheet_shows_mixed_images(sheet):
    rows = sheet("resnet20", "data.keras_cv=[{layer: MixUp, arguments: {alpha: 1}}]")

    assert rows["resnet20, draw 1"].shape == (10, 32, 32, 3)

import numpy as np
import pytest

from cifar_keras.data import load
from cifar_keras.data.statistics import (
    channel_mean,
    channel_std,
    mean_image,
    normalization,
    pad_images,
)
from cifar_keras.recipe import load_recipe, recipe_path

IMAGES = np.random.RandomState(0).randint(0, 256, (7, 8, 8, 3)).astype(np.uint8)


def data(*overrides):
    return load_recipe(recipe_path("resnet20"), overrides).data


def test_channel_statistics_are_numpys_over_all_pixels():
    np.testing.assert_allclose(channel_mean(IMAGES), IMAGES.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(channel_std(IMAGES), IMAGES.std(axis=(0, 1, 2)))


def test_mean_image_is_what_many_random_crops_and_flips_average_to():
    draws = np.random.RandomState(1)
    sums = np.zeros((6, 6, 3))
    for _ in range(20_000):
        y, x = draws.randint(0, 3, 2)
        crop = IMAGES[draws.randint(7), y : y + 6, x : x + 6]
        sums += crop[:, ::-1] if draws.randint(2) else crop

    difference = np.abs(mean_image(IMAGES, 6) - sums / 20_000)

    # One pixel of one draw has a deviation of about 74 grey levels; 5 of its standard errors.
    assert difference.max() < 5 * 74 / 20_000**0.5


@pytest.mark.parametrize("mode", ["mean", "reflect"])
def test_padding_is_numpys(mode):
    expected = np.stack([np.pad(image, ((4, 4), (4, 4), (0, 0)), mode=mode) for image in IMAGES])

    np.testing.assert_array_equal(pad_images(IMAGES, mode, 4), expected)


def test_no_padding_leaves_the_images_alone():
    np.testing.assert_array_equal(pad_images(IMAGES, "none", 0), IMAGES)


def test_constants_are_in_units_of_the_scaled_pixels():
    mean, std = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    norm = normalization(data("data.scale=255", f"data.mean={mean}", f"data.std={std}"), IMAGES)

    pixels = IMAGES.astype(np.float32)
    expected = (pixels / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose((pixels - norm.mean) * norm.factor, expected, atol=1e-5)


def test_the_sets_own_mean_and_std_leave_zero_and_one():
    norm = normalization(data("data.scale=255", "data.std=channel"), IMAGES)

    normalised = (IMAGES - norm.mean) * norm.factor
    np.testing.assert_allclose(normalised.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_no_scaling_leaves_grey_levels():
    norm = normalization(data("data.mean=none"), IMAGES)

    np.testing.assert_array_equal((IMAGES - norm.mean) * norm.factor, IMAGES)


@pytest.mark.data
def test_cifar10_has_the_published_means(real_data):
    cifar10 = load("cifar10", real_data, download=False)

    # cifar10_msra.py of apark263/cfmz, and the deviations of the whole set.
    np.testing.assert_allclose(
        channel_mean(cifar10.train.images), [125.307, 122.950, 113.865], atol=5e-4
    )
    np.testing.assert_allclose(
        channel_std(cifar10.train.images) / 255, [0.2470, 0.2435, 0.2616], atol=5e-5
    )

import numpy as np

from cifar_keras.data.normalize import normalization
from cifar_keras.pixels import center, normalize
from cifar_keras.recipe import load_recipe, recipe_path

IMAGES = np.random.RandomState(0).randint(0, 256, (7, 8, 8, 3)).astype(np.uint8)


def data(*overrides):
    return load_recipe(recipe_path("resnet20"), overrides).data


def test_constants_are_in_units_of_the_scaled_pixels():
    mean, std = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    norm = normalization(data("data.scale=255", f"data.mean={mean}", f"data.std={std}"), IMAGES)

    pixels = IMAGES.astype(np.float32)
    expected = (pixels / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(normalize(pixels, norm.mean, norm.factor), expected, atol=1e-5)


def test_the_sets_own_mean_and_std_leave_zero_and_one():
    norm = normalization(data("data.scale=255", "data.std=channel"), IMAGES)

    normalized = normalize(IMAGES, norm.mean, norm.factor)
    np.testing.assert_allclose(normalized.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_no_scaling_leaves_gray_levels():
    norm = normalization(data("data.mean=none"), IMAGES)

    np.testing.assert_array_equal(normalize(IMAGES, norm.mean, norm.factor), IMAGES)


def test_the_center_of_an_image_is_what_has_equal_borders():
    assert center(IMAGES, 4).shape == (7, 4, 4, 3)
    np.testing.assert_array_equal(center(IMAGES, 4), IMAGES[:, 2:6, 2:6])


def test_behind_a_crop_a_mean_image_of_whole_images_is_cropped_too():
    whole = normalization(data("data.mean=pixel", "data.padding=none", "data.pad=0"), IMAGES)

    centered = whole.centered(4)

    assert (whole.uncropped, centered.uncropped) == (True, False)
    np.testing.assert_array_equal(centered.mean, whole.mean[2:6, 2:6])
    # A mean image of crops already has their size.
    np.testing.assert_array_equal(centered.centered(4).mean, centered.mean)

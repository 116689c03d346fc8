import numpy as np
import pytest

from cifar_keras.data import load
from cifar_keras.data.statistics import (
    channel_mean,
    channel_std,
    mean_image,
)

IMAGES = np.random.RandomState(0).randint(0, 256, (7, 8, 8, 3)).astype(np.uint8)


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

    # A random crop's pixel has a standard deviation of about 74; five standard errors.
    assert difference.max() < 5 * 74 / 20_000**0.5


@pytest.mark.data
def test_cifar10_has_the_published_means(real_data):
    cifar10 = load("cifar10", real_data, download=False)

    # cifar10_msra.py of apark263/cfmz, and the standard deviations of the whole set.
    np.testing.assert_allclose(
        channel_mean(cifar10.train.images), [125.307, 122.950, 113.865], atol=5e-4
    )
    np.testing.assert_allclose(
        channel_std(cifar10.train.images) / 255, [0.2470, 0.2435, 0.2616], atol=5e-5
    )

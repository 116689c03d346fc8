"""Statistics of the training images, computed in NumPy from uint8."""

import numpy as np
from numpy.typing import NDArray


def channel_mean(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean of each channel of (N, H, W, 3) images, shape (3,), from 0 to 255."""
    return _histograms(images) @ np.arange(256) / images[..., 0].size


def channel_std(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the standard deviation of each channel over all pixels of all images, shape (3,).

    Its unit is that of the pixel values, 0 to 255. It is not the mean of the standard deviations of
    single images, (0.2023, 0.1994, 0.2010) on CIFAR-10, which many repositories copy from one
    another.
    """
    second_moment = _histograms(images) @ np.arange(256) ** 2 / images[..., 0].size
    return np.sqrt(second_moment - channel_mean(images) ** 2)


def _histograms(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    # Integer counts make the statistics exact and independent of the images' order.
    return np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)])


def mean_image(images: NDArray[np.uint8], crop: int) -> NDArray[np.float64]:
    """Return the mean image (crop, crop, 3) over all crops and both flips, from 0 to 255.

    MXNet's mean.bin averages the random crops and flips of one epoch; this is the limit of many
    epochs.
    """
    whole = images.mean(axis=0, dtype=np.float64)
    offsets = range(whole.shape[0] - crop + 1)
    crops = [whole[y : y + crop, x : x + crop] for y in offsets for x in offsets]
    mean = np.mean(crops, axis=0)
    mirrored: NDArray[np.float64] = (mean + mean[:, ::-1]) / 2
    return mirrored

"""The training set's own statistics, and the padding of images: all in numpy, on uint8."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Data


@dataclass(frozen=True)
class Normalization:
    """`(pixels - mean) * factor`, mean (3,) or (side, side, 3), factor (3,).

    The mean is in grey levels or, behind a contrast normalisation, in its units.
    """

    mean: NDArray[np.float32]
    factor: NDArray[np.float32]


def contrast_terms(
    images: NDArray[np.uint8], number: float, chunk: int = 5000
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each image's mean and factor, (N,): `(image - mean) * factor` has mean 0 and norm `number`.

    Global contrast normalisation as in pylearn2, without a bias term; a flat image becomes zero.
    """
    means, factors = np.empty(len(images)), np.empty(len(images))
    for start in range(0, len(images), chunk):
        rows = images[start : start + chunk].reshape(-1, images[0].size).astype(np.float64)
        place = slice(start, start + len(rows))
        means[place] = rows.mean(axis=1)
        norms = np.sqrt(np.square(rows - means[place, None]).sum(axis=1))
        factors[place] = number / np.where(norms < 1e-8, 1, norms)
    return means.astype(np.float32), factors.astype(np.float32)


def channel_mean(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean of each channel of (N, H, W, 3) images, (3,), in grey levels."""
    return _histograms(images) @ np.arange(256) / images[..., 0].size


def channel_std(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The deviation of each channel over all pixels of all images, (3,), in grey levels.

    Not the mean of the images' own deviations, (0.2023, 0.1994, 0.2010) on CIFAR-10, which many
    copies of one another use.
    """
    second_moment = _histograms(images) @ np.arange(256) ** 2 / images[..., 0].size
    return np.sqrt(second_moment - channel_mean(images) ** 2)


def _histograms(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    # Integer counts make the statistics exact and independent of the order of the images.
    return np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)])


def mean_image(images: NDArray[np.uint8], crop: int) -> NDArray[np.float64]:
    """The expected mean image (crop, crop, 3) over all crops and both flips, in grey levels.

    MXNet's mean.bin averages one pass of random crops and flips; this is the limit of many passes.
    """
    whole = images.mean(axis=0, dtype=np.float64)
    offsets = range(whole.shape[0] - crop + 1)
    crops = [whole[y : y + crop, x : x + crop] for y in offsets for x in offsets]
    mean = np.mean(crops, axis=0)
    mirrored: NDArray[np.float64] = (mean + mean[:, ::-1]) / 2
    return mirrored


def normalization(data: Data, images: NDArray[np.uint8]) -> Normalization:
    """What the recipe's `scale`, `mean` and `std` come to on these training images.

    Raises:
        RecipeError: behind a contrast normalisation, a mean other than `none` or `pixel`, or a std.
    """
    if data.contrast != "none":
        if data.mean not in ("none", "pixel") or data.std != "none":
            raise RecipeError("behind data.contrast, data.mean is none or pixel, and data.std none")
        mean = _mean_of_contrasted(images, data.contrast) if data.mean == "pixel" else np.zeros(3)
        return Normalization(mean.astype(np.float32), np.ones(3, np.float32))
    if data.mean == "none":
        mean = np.zeros(3)
    elif data.mean == "channel":
        mean = channel_mean(images)
    elif data.mean == "image":
        mean = mean_image(images, data.crop)
    elif data.mean == "pixel":
        mean = images.mean(axis=0, dtype=np.float64)
    else:
        mean = np.asarray(data.mean) * data.scale
    if data.std == "none":
        factor = np.full(3, 1 / data.scale)
    elif data.std == "channel":
        factor = 1 / channel_std(images)
    else:
        factor = 1 / (np.asarray(data.std) * data.scale)
    return Normalization(mean.astype(np.float32), factor.astype(np.float32))


def _mean_of_contrasted(
    images: NDArray[np.uint8], number: float, chunk: int = 5000
) -> NDArray[np.float64]:
    means, factors = contrast_terms(images, number)
    total = np.zeros(images.shape[1:])
    for start in range(0, len(images), chunk):
        place = slice(start, start + chunk)
        # The sum over images of (image - mean) * factor, without making them.
        total += np.tensordot(factors[place].astype(np.float64), images[place], axes=1)
        total -= float(np.dot(factors[place].astype(np.float64), means[place]))
    return total / len(images)


def pad_images(images: NDArray[np.uint8], mode: str, width: int) -> NDArray[np.uint8]:
    """The (N, H, W, 3) images with `width` pixels more on each side, filled as `mode` says.

    `zeros` (the pipeline puts the true zeros in after the normalisation), `reflect` (without the
    edge pixel), or `mean` as neon's `np.pad(..., mode="mean")`: new rows hold the rounded means of
    the columns, then new columns those of the rows, new rows included.
    """
    if width == 0:
        return images
    if mode != "mean":
        widths = ((0, 0), (width, width), (width, width), (0, 0))
        return np.pad(images, widths, mode="reflect" if mode == "reflect" else "constant")
    count, height, breadth, channels = images.shape
    padded = np.empty((count, height + 2 * width, breadth + 2 * width, channels), np.uint8)
    inner = padded[:, :, width:-width]
    inner[:, width:-width] = images
    inner[:, :width] = inner[:, -width:] = np.rint(images.mean(axis=1, keepdims=True))
    row_means = np.rint(inner.mean(axis=2, keepdims=True))
    padded[:, :, :width] = padded[:, :, -width:] = row_means
    return padded

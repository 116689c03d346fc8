"""How pixels are normalized: the rule, and its numbers for a recipe and a training set."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.data.official import CHANNEL_MEAN, CHANNEL_STD
from cifar_keras.data.statistics import channel_mean, channel_std, mean_image
from cifar_keras.errors import RecipeError
from cifar_keras.pixels import center, contrast_terms
from cifar_keras.recipe import Data


@dataclass(frozen=True)
class Normalization:
    """The numbers that normalize all images of a recipe.

    Attributes:
        mean: float32, (3,), or (H, W, 3) for a mean image. Its unit is that of pixel values (0 to
            255) or, after a contrast normalization, that of its result.
        factor: float32, (3,).
        contrast: the norm of each image after contrast normalization, which comes first; or None.
        uncropped: whether the mean image is that of uncropped images instead of crops.
    """

    mean: NDArray[np.float32]
    factor: NDArray[np.float32]
    contrast: float | None = None
    uncropped: bool = False

    def centered(self, crop: int) -> "Normalization":
        """Return the numbers for center crops (crop, crop, 3)."""
        mean = self.mean if self.mean.ndim == 1 else center(self.mean, crop)
        return replace(self, mean=mean, uncropped=False)


def normalization(data: Data, images: NDArray[np.uint8]) -> Normalization:
    """Return what `contrast`, `scale`, `mean` and `std` resolve to on these training images.

    Raises:
        RecipeError: a contrast normalization is combined with a std, or with a mean other than
            `none` or `pixel`.
    """
    contrast = None if data.contrast == "none" else data.contrast
    if contrast and (data.mean not in ("none", "pixel") or data.std != "none"):
        raise RecipeError("with data.contrast, data.mean must be none or pixel, and data.std none")
    mean = _mean(data, images).astype(np.float32)
    return Normalization(mean, _factor(data, images), contrast, data.mean == "pixel")


def official_normalization(data: Data, dataset: str) -> Normalization | None:
    """Return what `normalization` returns on the official training images, without needing them.

    Return None if more than the channels' means and standard deviations is needed.
    """
    if data.mean in ("image", "pixel"):
        return None
    none = np.empty((0, *IMAGE_SHAPE), np.uint8)
    mean = np.array(CHANNEL_MEAN[dataset]) if data.mean == "channel" else _mean(data, none)
    if data.std == "channel":
        factor = (1 / np.array(CHANNEL_STD[dataset])).astype(np.float32)
    else:
        factor = _factor(data, none)
    contrast = None if data.contrast == "none" else data.contrast
    return Normalization(mean.astype(np.float32), factor, contrast)


def _mean(data: Data, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    if data.mean == "none":
        return np.zeros(3)
    if data.mean == "channel":
        return channel_mean(images)
    if data.mean == "image":
        return mean_image(images, data.crop)
    if data.mean == "pixel":
        if data.contrast != "none":
            return _mean_of_contrasted(images, data.contrast)
        return images.mean(axis=0, dtype=np.float64)
    return np.asarray(data.mean) * data.scale


def _factor(data: Data, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    if data.std == "none":
        factor = np.full(3, 1 / data.scale)
    elif data.std == "channel":
        factor = 1 / channel_std(images)
    else:
        factor = 1 / (np.asarray(data.std) * data.scale)
    return factor.astype(np.float32)


def contrast_terms_of_set(
    images: NDArray[np.uint8], number: float, chunk: int = 5000
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the `contrast_terms` of all uint8 images (N, H, W, 3), float32 (N,)."""
    starts = range(0, len(images), chunk)
    terms = [contrast_terms(images[at : at + chunk].astype(np.float64), number) for at in starts]
    means, factors = (np.concatenate(each).astype(np.float32) for each in zip(*terms, strict=True))
    return means, factors


def _mean_of_contrasted(
    images: NDArray[np.uint8], number: float, chunk: int = 5000
) -> NDArray[np.float64]:
    means, factors = contrast_terms_of_set(images, number)
    total = np.zeros(images.shape[1:])
    for start in range(0, len(images), chunk):
        place = slice(start, start + chunk)
        # The sum of (image - mean) * factor over images, without computing each of them.
        total += np.tensordot(factors[place].astype(np.float64), images[place], axes=1)
        total -= float(np.dot(factors[place].astype(np.float64), means[place]))
    return total / len(images)

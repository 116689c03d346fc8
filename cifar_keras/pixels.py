"""The arithmetic of normalisation, on arrays or tensors."""

from math import prod
from types import ModuleType
from typing import Any

import numpy as np


def normalise(pixels: Any, mean: Any, factor: Any) -> Any:
    """Return `(pixels - mean) * factor`, of arrays or tensors of any library.

    All normalisation is this: first, with `data.contrast`, by each image's own `contrast_terms`,
    then by a `Normalization`.
    """
    return (pixels - mean) * factor


def centre(images: Any, crop: int) -> Any:
    """Return the centre (..., crop, crop, 3) of images (..., side, side, 3)."""
    margin = (images.shape[-2] - crop) // 2
    inner = slice(margin, margin + crop)
    return images[..., inner, inner, :]


def contrast_terms(values: Any, number: float, ops: ModuleType = np) -> tuple[Any, Any]:
    """Return each image's mean and factor, (B,), that give it mean 0 and norm `number`.

    Global contrast normalisation as in pylearn2, without a bias term; a flat image becomes zero.

    Args:
        values: float64 (B, H, W, 3).
        number: the norm.
        ops: whose operations to use: `numpy` or `keras.ops`.
    """
    rows = ops.reshape(values, (-1, prod(values.shape[1:])))
    mean = ops.mean(rows, axis=1)
    norm = ops.sqrt(ops.sum(ops.square(rows - mean[:, None]), axis=1))
    return mean, number / ops.where(norm < 1e-8, ops.ones_like(norm), norm)

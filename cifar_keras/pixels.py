"""The arithmetic of normalization, on arrays or tensors."""

from math import prod
from types import ModuleType
from typing import Any

import numpy as np


def normalize(pixels: Any, mean: Any, factor: Any) -> Any:
    """Return `(pixels - mean) * factor`, of arrays or tensors of any library.

    All normalization uses it: first with each image's `contrast_terms` if the recipe has
    `data.contrast`, then with a `Normalization`.
    """
    return (pixels - mean) * factor


def center(images: Any, crop: int) -> Any:
    """Return the center (..., crop, crop, 3) of images (..., side, side, 3)."""
    margin = (images.shape[-2] - crop) // 2
    inner = slice(margin, margin + crop)
    return images[..., inner, inner, :]


def contrast_terms(values: Any, number: float, ops: ModuleType = np) -> tuple[Any, Any]:
    """Return the mean and factor of each image, (B,), that give it mean 0 and norm `number`.

    This is global contrast normalization as in pylearn2, without a bias term. A constant image
    becomes zero.

    Args:
        values: float64 (B, H, W, 3).
        number: the norm.
        ops: the module of operations, `numpy` or `keras.ops`.
    """
    rows = ops.reshape(values, (-1, prod(values.shape[1:])))
    mean = ops.mean(rows, axis=1)
    norm = ops.sqrt(ops.sum(ops.square(rows - mean[:, None]), axis=1))
    return mean, number / ops.where(norm < 1e-8, ops.ones_like(norm), norm)

"""Image files of any size, as the networks take them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.errors import DataError

SIDE = IMAGE_SHAPE[0]


def read_images(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], list[str]]:
    """The images, uint8 (N, 32, 32, 3), and a line on each that had another size.

    Those are resized as a whole, antialiased and without regard to their proportions.

    Raises:
        DataError: a file is missing or is no image; it is named.
    """
    images, notes = [], []
    for path in paths:
        image = _read(path)
        if image.size != (SIDE, SIDE):
            notes.append(f"'{path}' is resized from {image.width}x{image.height} to {SIDE}x{SIDE}")
            image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        images.append(np.asarray(image, np.uint8))
    return np.stack(images), notes


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            # Cameras note which side is up instead of turning the image.
            return ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError:
        raise DataError(f"image '{path}' is not there; correct the path") from None
    except Exception as error:
        # Of a damaged file Pillow's readers raise whatever comes first.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot read '{path}' as an image: {reason}; give a PNG, JPEG or the like"
        ) from None

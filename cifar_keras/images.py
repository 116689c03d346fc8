"""Read image files of any size as network input."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.errors import DataError
from cifar_keras.files import open_regular
from cifar_keras.quiet import stderr_held_back

SIDE = IMAGE_SHAPE[0]
# Pillow supports more formats, but for EPS, for example, it starts Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def read_images(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the images, uint8 (N, 32, 32, 3), and a note on each change to one of them.

    An image of another size is resized with antialiasing, ignoring its aspect ratio. Transparent
    parts become white. Of 16-bit values only the upper 8 bits are used.

    Raises:
        DataError: a file is missing, is not an image, holds several images, or has pixels of
            unknown range.
    """
    images, notes = [], []
    for path in paths:
        image, transparent = _read(path)
        if transparent:
            notes.append(f"'{path}' has transparent parts; they become white")
        if image.size != (SIDE, SIDE):
            notes.append(f"'{path}' is resized from {image.width}x{image.height} to {SIDE}x{SIDE}")
            image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        images.append(np.asarray(image, np.uint8))
    return np.stack(images), notes


def _read(path: Path) -> tuple[Image.Image, bool]:
    """Return the image in RGB, and whether parts of it are transparent."""
    # libtiff prints its own messages to stderr.
    with stderr_held_back():
        try:
            with open_regular(path) as file, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # A small file can hold gigabytes of pixels.
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(file, formats=FORMATS) as image:
                    return _rgb(image)
        except DataError as error:
            message = f"image '{path}' {error}"
        except FileNotFoundError:
            message = f"image '{path}' does not exist; correct the path"
        except Exception as error:
            # On damaged files Pillow raises almost any exception.
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if isinstance(error, UnidentifiedImageError):
                reason = f"its format is none of {', '.join(FORMATS)}"
            reason = " ".join(reason.split())[:200]
            message = f"cannot read '{path}' as an image: {reason}; use PNG or JPEG, for example"
    raise DataError(message)


def _rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    # Cameras append previews to their JPEG files, which Pillow then calls MPO.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise DataError("holds several images; save one of them as a file of its own")
    # Pillow's mode "I" has 32 bits, of which PNG and PPM use 16.
    sixteen = image.mode in _SIXTEEN_BITS or (image.mode == "I" and image.format in ("PNG", "PPM"))
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if image.mode in ("I", "F") and not sixteen:
        raise DataError("has 32-bit pixels, whose range is unknown; save it with 8 bits")
    if sixteen and has_alpha:
        raise DataError("has 16-bit pixels and transparency; save it with 8 bits")
    # Cameras record the orientation in EXIF instead of rotating the image.
    image = ImageOps.exif_transpose(image)
    if sixteen:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not has_alpha:
        return image.convert("RGB"), False
    image = image.convert("RGBA")
    opaque = image.getchannel("A").getextrema() == (255, 255)
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB"), not opaque

"""How a report knows the pictures of an earlier one from a reader's own."""

from collections.abc import Container
from pathlib import Path

from cifar_keras.files import unwritable

# Written into the head of every picture.
CREATOR = "cifar-keras report"
_HEAD = 4096


def remove_stale(folder: Path, keep: Container[Path]) -> None:
    """Remove the pictures directly in `folder` that a report wrote and that are not in `keep`.

    Raises:
        RunError: a picture cannot be removed.
    """
    for path in sorted([*folder.glob("*.svg"), *folder.glob("*.png")]):
        try:
            if path not in keep and CREATOR.encode() in path.read_bytes()[:_HEAD]:
                path.unlink()
        except OSError as error:
            raise unwritable(path, error) from None

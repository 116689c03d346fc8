"""How a report knows the files of an earlier one from a reader's own."""

from collections.abc import Container
from pathlib import Path

from cifar_keras.files import unwritable

# In the head of every picture and page.
CREATOR = "cifar-keras report"
HEAD = 4096
# What a report writes where, below its folder.
_KINDS = ("curves/*.svg", "curves/*.png", "system_*.md", "cards/card_*.md")


def remove_stale(out: Path, keep: Container[Path]) -> None:
    """Remove the pictures, pages and cards below `out` that a report wrote, but `keep`.

    Raises:
        RunError: a file cannot be removed.
    """
    for path in sorted(path for kind in _KINDS for path in out.glob(kind)):
        try:
            if path not in keep and CREATOR.encode() in path.read_bytes()[:HEAD]:
                path.unlink()
        except OSError as error:
            raise unwritable(path, error) from None

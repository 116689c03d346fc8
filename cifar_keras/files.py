"""Write files atomically, and read only plausible ones."""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from cifar_keras.errors import RunError

# The largest published file has 170 MB; much larger files would fill the memory.
LARGEST_FILE = 2**28


def open_regular(path: Path, largest: int = LARGEST_FILE) -> BinaryIO:
    """Open a regular file of at most `largest` bytes for reading.

    Raises:
        OSError: it cannot be opened, is a folder, pipe or device, or is larger; its `strerror`
            says which.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody writes into it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_size <= largest:
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISREG(status.st_mode):
        raise OSError(errno.EFBIG, f"{status.st_size:,} bytes, more than {largest:,}")
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "not a regular file")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: under a temporary name, flushed to disk, then renamed.

    Raises:
        RunError: the folder is not writable or the disk is full; the file is unchanged.
    """
    scratch = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(".tmp", f".{path.name}.", path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
        _flush_folder(path.parent)
    except OSError as error:
        if scratch and os.path.exists(scratch):
            os.unlink(scratch)
        raise unwritable(path, error) from None


def replace_all(written: Mapping[Path, Path], aside: Path) -> None:
    """Move each written file or folder to its place; if one fails, undo them all.

    What was there before is moved to the folder `aside`, which is on the same disk.
    """
    with ExitStack() as undo:
        for number, (new, place) in enumerate(written.items()):
            if os.path.lexists(place):
                old = aside / f"old-{number}"
                os.replace(place, old)
                undo.callback(os.replace, old, place)
            os.replace(new, place)
            undo.callback(os.replace, place, new)
        undo.pop_all()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a killed process; the caller must hold the folder's lock."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    # A rename is on disk only once its folder is flushed.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: Path, error: OSError) -> RunError:
    """Return the error for a file that cannot be written, with its remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"no space left to write '{path}'; free some, then run the command again")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return RunError(f"cannot write '{path}': {reason}; choose another folder")

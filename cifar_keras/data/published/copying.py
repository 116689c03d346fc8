"""Copy files that were checked, and check that the copy has the same content."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cifar_keras.errors import DataError
from cifar_keras.files import open_regular

BLOCK = 2**20


def copy_checked(source: Path, target: Path, sums: Mapping[str, str]) -> Path:
    """Copy a file, or files of a folder, and check the copy before it gets its final name.

    Args:
        source: A file, or a folder.
        target: The path of the copy; must not exist.
        sums: The files and their md5 sums; "" is the source itself.

    Returns:
        `target`.

    Raises:
        DataError: If a file no longer has its sum, or cannot be read or written. No partial copy
            is left.
    """
    scratch = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        (scratch if source.is_dir() else target.parent).mkdir(parents=True)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        for file, md5 in sums.items():
            if _copy(source / file, scratch / file) != md5:
                raise DataError(f"{source / file} changed while it was copied; copy it again")
        os.replace(scratch, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)
    return target


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(source) as old, target.open("xb") as new:
        while block := old.read(BLOCK):
            digest.update(block)
            new.write(block)
        new.flush()
        os.fsync(new.fileno())
    return digest.hexdigest()


def _unwritable(target: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot copy to {target} ({error.strerror}); name a writable folder with --data-dir or "
        "CIFAR_KERAS_DATA"
    )

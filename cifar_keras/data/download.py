"""Downloads one published archive: to a temporary name, checked, and only then renamed."""

import contextlib
import hashlib
import http.client
import os
import sys
import urllib.request
from pathlib import Path

from cifar_keras.data import official
from cifar_keras.errors import DataError

BLOCK = 2**18
TIMEOUT_SECONDS = 30


def download_archive(archive: str, folder: Path) -> Path:
    """Downloads an archive from the publisher and returns where it stands.

    A terminal on stderr sees the progress, anything else one line at the start and one at the end.

    Args:
        archive: Its published name, such as "cifar-10-python.tar.gz".
        folder: Where to put it; made if it does not exist.

    Raises:
        DataError: If it cannot be downloaded, stored, or is not the official file. Nothing of it
            is left behind.
    """
    url = official.BASE_URL + archive
    target = folder / archive
    partial = folder / f".{archive}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        digest = _fetch(url, partial)
        expected = official.SHA256.get(archive, official.MD5[archive])
        if digest != expected:
            raise DataError(
                f"{url}: not the official file, or cut short. Received: {digest}, not {expected}; "
                f"try again, or put the official {archive} in {folder}"
            )
        os.replace(partial, target)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"cannot download {url} to {folder} ({reason}); get it on another machine and put it "
            f"there, or name a writable folder that holds it with --data-dir or CIFAR_KERAS_DATA"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return target


def _fetch(url: str, partial: Path) -> str:
    digest = hashlib.sha256() if url.rsplit("/", 1)[-1] in official.SHA256 else hashlib.md5()
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer, partial.open("xb") as file:
        with _Progress(url, int(answer.headers.get("Content-Length") or 0)) as progress:
            while block := answer.read(BLOCK):
                file.write(block)
                digest.update(block)
                progress.advance(len(block))
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


class _Progress:
    def __init__(self, url: str, total: int) -> None:
        self.name = url.rsplit("/", 1)[-1]
        self.total = total
        self.done = 0
        self.shown = ""
        self.live = sys.stderr.isatty()
        if not self.live:
            print(f"downloading {url}", file=sys.stderr, flush=True)

    def advance(self, size: int) -> None:
        self.done += size
        line = f"{self.name}: {self.done / 1e6:.0f} MB"
        if self.total:
            line += f" of {self.total / 1e6:.0f} MB ({100 * self.done // self.total} %)"
        if self.live and line != self.shown:
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
            self.shown = line

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.live:
            print(file=sys.stderr, flush=True)
        elif kind is None:
            print(f"downloaded {self.name}: {self.done} bytes", file=sys.stderr, flush=True)

"""Download a published archive from the first source that has it.

All sources should send the same bytes, so one source can continue where another stopped. Size and
hash of the complete file are checked.
"""

import contextlib
import fcntl
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from cifar_keras.data import official
from cifar_keras.data.published.progress import Progress
from cifar_keras.errors import DataError

BLOCK = 2**18
# A source that sends nothing for this long is given up.
STALL_SECONDS = 60.0
# (bytes/s, seconds): a source slower than this rate for this time is left for another, if any.
HURRIED = (500_000, 30.0)
# The same when all sources are slow: such a source is practically stalled.
PATIENT = (1_000, 60.0)
# Attempts per source, as long as each brings new bytes.
MOST_TRIES = 20

_REMEDY = (
    "get it on another machine and copy it with `cifar-keras data fetch --from FILE`, or give "
    "another address with --mirror URL"
)


class _Unusable(Exception):
    """A source sends something other than the official file, or nothing."""


class _Slow(_Unusable):
    """A source sends the file slowly; another may be faster."""


def download_archive(archive: str, folder: Path, mirrors: Sequence[str] = ()) -> Path:
    """Download a published archive and return its path.

    Progress goes to stderr. An interrupted download stays in the folder as `.NAME.part`, and the
    next download continues it. A second process waits for the first.

    Args:
        archive: Its published name, such as "cifar-10-python.tar.gz".
        folder: Where to put it; created if it does not exist.
        mirrors: Addresses to try first; see `official.addresses`.

    Raises:
        DataError: If no source sends the official file, or it cannot be stored.
    """
    sources = official.addresses(archive, mirrors)
    target = folder / archive
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _held(folder / f".{archive}.part") as partial:
            # Another process may have downloaded it in the meantime.
            if not target.is_file():
                _fill(partial, archive, sources)
                os.fsync(partial.fileno())
                os.replace(partial.name, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    return target


@contextlib.contextmanager
def _held(path: Path) -> Iterator[FileIO]:
    """Open the file, locked for this process; remove it at the end if it is empty."""
    while True:
        file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another process is downloading {path}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        # The process that held the lock may have renamed or removed the file.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()
    with file:
        try:
            yield file
        finally:
            if _length(file) == 0:
                path.unlink(missing_ok=True)


def _fill(partial: FileIO, archive: str, sources: Sequence[str]) -> None:
    """Try the sources in turn until the file is the official one."""
    size = official.SIZE[archive]
    waiting = deque((url, False) for url in sources)
    tries: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    while not _is_official(partial, archive):
        if not waiting:
            failures = "; ".join(f"{_host(url)}: {reason}" for url, reason in reasons.items())
            raise DataError(f"cannot download {archive}: {failures}; {_REMEDY}")
        if (before := _length(partial)) >= size:
            partial.truncate(before := 0)
        url, patient = waiting.popleft()
        tries[url] += 1
        again = tries[url] < MOST_TRIES
        try:
            _fetch(url, archive, partial, patient or not waiting)
            if _is_official(partial, archive):
                return
            partial.truncate(0)
            if before and again:
                # The wrong bytes may be those of an earlier source.
                waiting.appendleft((url, patient))
            raise _Unusable("sends a different file")
        except _Slow as error:
            waiting.append((url, True))
            reasons[url] = str(error)
        except (_Unusable, OSError, http.client.HTTPException, ValueError) as error:
            reasons[url] = _reason(error)
            if _length(partial) > before and again:
                waiting.append((url, patient))
        if waiting:
            _say(f"{url}: {reasons[url]}; trying {waiting[0][0]}")


def _fetch(url: str, archive: str, partial: FileIO, patient: bool) -> None:
    """Append the missing bytes; start over if the source cannot send a part of the file."""
    size, done = official.SIZE[archive], _length(partial)
    request = urllib.request.Request(url, headers={"User-Agent": "cifar_keras"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    with urllib.request.urlopen(request, timeout=STALL_SECONDS) as answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            raise _Unusable("sends a different part than requested")
        announced = answer.headers.get("Content-Length", "")
        # The header may say anything; the bytes that arrive are counted in any case.
        if announced.isascii() and announced.isdigit() and announced != str(size - done):
            raise _Unusable(f"announces {announced[:20]} bytes, not {size - done}")
        if done == 0:
            partial.truncate(0)
        with Progress(url, archive, size, done) as progress:
            for block in _blocks(answer, patient):
                done += len(block)
                if done > size:
                    raise _Unusable(f"sends more than the official {size:,} bytes")
                _store(partial, block)
                progress.advance(len(block))
            if done < size:
                raise _Unusable(f"ends after {done:,} of {size:,} bytes")


def _blocks(answer: http.client.HTTPResponse, patient: bool) -> Iterator[bytes]:
    rate, seconds = PATIENT if patient else HURRIED
    begun, arrived = time.monotonic(), 0
    while block := answer.read1(BLOCK):
        yield block
        arrived += len(block)
        if (passed := time.monotonic() - begun) >= seconds:
            if arrived < rate * passed:
                reason = f"sends only {arrived / passed / 1000:.1f} kB/s"
                raise _Unusable(reason) if patient else _Slow(reason)
            begun, arrived = time.monotonic(), 0


def _store(partial: FileIO, block: bytes) -> None:
    try:
        while block:
            block = block[partial.write(block) :]
    except OSError as error:
        raise _unwritable(Path(partial.name), error) from error


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write {path} ({error.strerror}); name a writable folder with space for it with "
        "--data-dir or CIFAR_KERAS_DATA"
    )


def _length(file: FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def _is_official(file: FileIO, archive: str) -> bool:
    if _length(file) != official.SIZE[archive]:
        return False
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest() == official.SHA256[archive]


def _reason(error: Exception) -> str:
    """Return what went wrong in a few words, without quoting the server."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP error {error.code}"
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"no data for {STALL_SECONDS:g} s"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return "".join(char if char.isprintable() else " " for char in text)[:100]


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc or url


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""How this package must answer whatever it is given: with a value or one clear line, and soon."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cifar_keras.errors import CifarKerasError

T = TypeVar("T")
LONGEST_LINE = 1000


class Hang(BaseException):
    """The call took too long; no `except Exception` swallows it."""


@contextmanager
def within(seconds: float = 10) -> Iterator[None]:
    """Raise `Hang` in the main thread after so many seconds."""

    def stop(*_: object) -> None:
        raise Hang(f"still at work after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answer(call: Callable[[], T]) -> T | str:
    """Return what the call returns, or the one clear line that it refuses with.

    Any other exception, a line that is not one, and more than ten seconds are a failed test.
    """
    with within():
        try:
            return call()
        except CifarKerasError as error:
            line = str(error)
    assert line.isprintable(), line[:LONGEST_LINE]
    assert len(line) < LONGEST_LINE, line[:LONGEST_LINE]
    return line


def tree(folder: Path) -> list[tuple[str, int]]:
    """Return every file below a folder with its size."""
    return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))

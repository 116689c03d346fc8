"""Everything that handles SIGINT and SIGTERM, with no slow imports."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_BOTH = (signal.SIGINT, signal.SIGTERM)
# A signal may arrive twice, from the parent and by way of the process group: count it once.
_ECHO = 1.0


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers,
    numbers: Sequence[int] = _BOTH,
) -> Iterator[None]:
    """Handle the signals with this handler in the context; restore the former ones after it."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


class Signals:
    """The first signal received, or None; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.since = 0.0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Only record signals, so that a run can stop between two steps; main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _BOTH}

        def note(number: int, frame: FrameType | None) -> None:
            if self.received is None:
                self.received, self.since = number, time.monotonic()
            elif time.monotonic() - self.since > _ECHO:
                for each, handler in before.items():
                    signal.signal(each, handler)
                signal.raise_signal(number)

        with _handled(note):
            yield


@contextmanager
def listed() -> Iterator[list[int]]:
    """Yield a list to which each signal only appends its number."""
    received: list[int] = []
    with _handled(lambda number, _: received.append(number)):
        yield received


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let signals end the process, because Python's handlers do not run while TensorFlow waits.

    While TensorFlow waits for other workers, its own handler only records SIGTERM, so then only
    SIGINT ends the process.
    """
    with _handled(signal.SIG_DFL):
        yield


class Terminated(KeyboardInterrupt):
    """SIGTERM was received with no state to save: before the first step or after the last."""


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM raise `Terminated`, as SIGINT raises KeyboardInterrupt."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handled(stop, [signal.SIGTERM]):
        yield


def number_of(stop: KeyboardInterrupt) -> int:
    """Return the signal that raised this."""
    return signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT


def run_child(command: Sequence[str], received: Sequence[int]) -> int:
    """Run the command and return its exit code; for a signal, 128 plus its number.

    Signals added to `received` meanwhile are passed on, except those that also reach the child.
    """
    child = subprocess.Popen(command)
    passed_on = 0
    while True:
        try:
            code = child.wait(timeout=0.2)
            return code if code >= 0 else 128 - code
        except subprocess.TimeoutExpired:
            for number in received[passed_on:]:
                passed_on += 1
                if number == signal.SIGTERM or not at_a_terminal():
                    child.send_signal(number)


def at_a_terminal() -> bool:
    """Return whether Ctrl-C reaches both this process and its child."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

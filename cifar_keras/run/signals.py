"""SIGINT and SIGTERM noted, so that a run can stop between two steps."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A parent and its process group may both pass one signal on: an echo, not a second wish.
_ECHO = 1.0


class Signals:
    """The first signal that came, or None; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.since = 0.0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within, signals are noted; afterwards they act as before. Only in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def note(number: int, frame: FrameType | None) -> None:
            if self.received is None:
                self.received, self.since = number, time.monotonic()
            elif time.monotonic() - self.since > _ECHO:
                for each, handler in before.items():
                    signal.signal(each, handler)
                signal.raise_signal(number)

        for number in before:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

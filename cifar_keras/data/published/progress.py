"""How far a download is, on stderr: a bar on a terminal, a line a minute elsewhere."""

import sys
import time
from types import TracebackType

from cifar_keras.terminal import Bar

_LOG_SECONDS = 60.0


class Progress:
    """Report the bytes that have arrived, their rate and the time left.

    Args:
        url: Where they come from.
        name: What the file is called.
        total: Its size in bytes.
        done: How many of them were there before.
    """

    def __init__(self, url: str, name: str, total: int, done: int) -> None:
        self.name, self.total, self.done = name, total, done
        self.before, self.begun = done, time.monotonic()
        self.last = self.begun
        self.bar = Bar()
        resumed = f", resuming at byte {done:,}" if done else ""
        print(f"downloading {url}{resumed}", file=sys.stderr, flush=True)

    def advance(self, size: int) -> None:
        """Count `size` more bytes, and report from time to time."""
        self.done += size
        self.bar.move(self.done, self._note)
        now = time.monotonic()
        if not self.bar.shown and now - self.last >= _LOG_SECONDS:
            self.last = now
            print(f"{self.name}: {self._note()}", file=sys.stderr, flush=True)

    def _note(self) -> str:
        rate = (self.done - self.before) / max(time.monotonic() - self.begun, 1e-3)
        left = _duration((self.total - self.done) / rate) if rate else "unknown time"
        return (
            f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB "
            f"({100 * self.done // self.total} %), {rate / 1e6:.2f} MB/s, {left} left"
        )

    def __enter__(self) -> "Progress":
        self.bar.begin(self.name, self.total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.__exit__(kind, error, trace)
        if kind is None:
            seconds = time.monotonic() - self.begun
            print(
                f"downloaded {self.name}: {self.done:,} bytes in {_duration(seconds)}",
                file=sys.stderr,
                flush=True,
            )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

"""How far a download is, on stderr: a line that changes on a terminal, one a minute elsewhere."""

import sys
import time
from types import TracebackType

_LIVE_SECONDS, _LOG_SECONDS = 0.2, 60.0


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
        self.live = sys.stderr.isatty()
        self.last = self.begun
        self.width = 0
        going_on = f", from byte {done:,} on" if done else ""
        print(f"downloading {url}{going_on}", file=sys.stderr, flush=True)

    def advance(self, size: int) -> None:
        """Count `size` more bytes, and report from time to time."""
        self.done += size
        now = time.monotonic()
        if now - self.last >= (_LIVE_SECONDS if self.live else _LOG_SECONDS):
            self.last = now
            self._show(self._line(now - self.begun))

    def _line(self, seconds: float) -> str:
        rate = (self.done - self.before) / max(seconds, 1e-3)
        left = _duration((self.total - self.done) / rate) if rate else "unknown time"
        return (
            f"{self.name}: {self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB "
            f"({100 * self.done // self.total} %), {rate / 1e6:.2f} MB/s, {left} left"
        )

    def _show(self, line: str) -> None:
        if not self.live:
            print(line, file=sys.stderr, flush=True)
            return
        print(f"\r{line:<{self.width}}", end="", file=sys.stderr, flush=True)
        self.width = len(line)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = time.monotonic() - self.begun
        if self.live:
            self._show(self._line(seconds))
            print(file=sys.stderr, flush=True)
        elif kind is None:
            print(
                f"downloaded {self.name}: {self.done:,} bytes in {_duration(seconds)}",
                file=sys.stderr,
                flush=True,
            )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

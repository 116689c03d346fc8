"""Bars that move on a terminal. Where stderr is something else, nothing of them is written."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.text import Text

_REDRAW_SECONDS = 0.2


def is_terminal(stream: TextIO) -> bool:
    """Return whether the stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Bar:
    """One bar on stderr, redrawn at most five times a second, and lines that pass above it.

    `shown` is whether there is anybody to see it. The bar starts with `begin` and is erased at the
    end of the context, however that comes. It has no thread, and leaves the cursor visible, so that
    a process that is killed leaves a usable terminal.
    """

    def __init__(self) -> None:
        self.shown = is_terminal(sys.stderr)
        self._drawn = 0.0
        self._progress: Progress | None = None

    def begin(self, text: str, total: float, note: str = "") -> None:
        """Start over with another text and total, and draw at once."""
        if not self.shown:
            return
        # A terminal that has gone is no reason for the work to stop.
        with suppress(OSError):
            progress = self._progress = self._progress or _started()
            for task in progress.task_ids:
                progress.remove_task(task)
            progress.add_task(text, total=total, note=note)
            self._draw(progress)

    def move(self, done: float, note: Callable[[], str] | str = "") -> None:
        """Show what is done, and a note behind the bar, if the last drawing is long enough ago."""
        if self._progress and time.monotonic() - self._drawn > _REDRAW_SECONDS:
            with suppress(OSError):
                text = note if isinstance(note, str) else note()
                for task in self._progress.task_ids:
                    self._progress.update(task, completed=done, note=text)
                self._draw(self._progress)

    def line(self, text: Text) -> None:
        """Print a line above the bar, cut at the terminal's width."""
        with suppress(OSError):
            progress = self._progress = self._progress or _started()
            progress.console.print(text, no_wrap=True, overflow="ellipsis")

    def _draw(self, progress: Progress) -> None:
        self._drawn = time.monotonic()
        progress.refresh()

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress:
            with suppress(OSError):
                self._progress.stop()
        self._progress = None


def _started() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True, highlight=False),
        auto_refresh=False,
        expand=True,
        # Results go to stdout, which may be the same terminal or a file.
        redirect_stdout=False,
        transient=True,
    )
    progress.start()
    progress.console.show_cursor(True)
    return progress


@contextmanager
def images_bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many of `total` images are done."""
    with Bar() as bar:
        bar.begin(text, total, f"0 of {total:,} images")
        yield lambda done: bar.move(done, lambda: f"{done:,} of {total:,} images")


def loading(text: str) -> None:
    """Say on a terminal what is loaded, before the seconds that this takes."""
    if is_terminal(sys.stderr):
        with suppress(OSError):
            print(f"loading {text} ...", file=sys.stderr, flush=True)

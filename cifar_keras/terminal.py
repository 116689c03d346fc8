"""Progress bars on a terminal. If stderr is not a terminal, they print nothing."""

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
    """Return whether the stream is a terminal with a movable cursor."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Bar:
    """A progress bar on stderr, redrawn at most five times a second, with lines printed above it.

    `shown` is whether stderr is a terminal. The bar starts with `begin` and is erased when the
    context ends. It uses no thread and keeps the cursor visible, so that a killed process leaves a
    usable terminal.
    """

    def __init__(self) -> None:
        self.shown = is_terminal(sys.stderr)
        self._drawn = 0.0
        self._progress: Progress | None = None

    def begin(self, text: str, total: float, note: str = "") -> None:
        """Start the bar, or restart it with another text and total."""
        if not self.shown:
            return
        # The work goes on even if the terminal is closed.
        with suppress(OSError):
            progress = self._progress = self._progress or _started()
            for task in progress.task_ids:
                progress.remove_task(task)
            progress.add_task(text, total=total, note=note)
            self._draw(progress)

    def move(self, done: float, note: Callable[[], str] | str = "") -> None:
        """Show the progress and a note after the bar, unless it was redrawn just now."""
        if self._progress and time.monotonic() - self._drawn > _REDRAW_SECONDS:
            with suppress(OSError):
                text = note if isinstance(note, str) else note()
                for task in self._progress.task_ids:
                    self._progress.update(task, completed=done, note=text)
                self._draw(self._progress)

    def line(self, text: Text) -> None:
        """Print a line above the bar, cut to the terminal's width."""
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
        # Leave stdout alone: it has the results.
        redirect_stdout=False,
        transient=True,
    )
    progress.start()
    progress.console.show_cursor(True)
    return progress


@contextmanager
def images_bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; yield a function to call with the number of images done."""
    with Bar() as bar:
        bar.begin(text, total, f"0 of {total:,} images")
        yield lambda done: bar.move(done, lambda: f"{done:,} of {total:,} images")


def loading(text: str) -> None:
    """Print what is being loaded, if stderr is a terminal: loading takes seconds."""
    if is_terminal(sys.stderr):
        with suppress(OSError):
            print(f"loading {text} ...", file=sys.stderr, flush=True)

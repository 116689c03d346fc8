"""One `fit` that never ends, and makes steps when it is told to.

A run of `cifar-keras train` is one `fit` of thousands of steps: what a call of `fit` costs at its
start is no part of a step, and would weigh in repeats of seconds.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import keras


class Steady(keras.callbacks.Callback):
    """The last of the callbacks of a `fit` that runs in a thread of its own.

    Args:
        fit: calls `model.fit` with this callback.
    """

    def __init__(self, fit: Callable[["Steady"], object]) -> None:
        super().__init__()
        self.fit = fit
        self.asked: queue.Queue[int] = queue.Queue()
        self.answers: queue.Queue[tuple[float, int] | BaseException] = queue.Queue()
        self.thread: threading.Thread | None = None

    def __call__(self, steps: int) -> tuple[float, int]:
        """Make so many steps, or a few more; returns the seconds they took, and how many."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()
        self.asked.put(steps)
        answer = self.answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _run(self) -> None:
        try:
            self.fit(self)
        except BaseException as error:
            self.answers.put(error)
        else:
            self.answers.put(RuntimeError("fit came to its end"))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.seen = 0
        self._wait()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        made = batch + 1 - self.seen
        if made >= self.due:
            float(logs["loss"])  # it may still be on its way
            self.answers.put((time.perf_counter() - self.begin, made))
            self.seen = batch + 1
            self._wait()

    def _wait(self) -> None:
        self.due = self.asked.get()
        self.begin = time.perf_counter()

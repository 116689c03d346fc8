"""One endless `fit` that makes steps on request.

A run of `cifar-keras train` is one `fit` of thousands of steps. The cost of starting `fit` is not
part of a step, and would distort repeats of a few seconds.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import keras


class Steady(keras.callbacks.Callback):
    """The last callback of a `fit` that runs in its own thread.

    Args:
        fit: Function that calls `model.fit` with this callback.
    """

    def __init__(self, fit: Callable[["Steady"], object]) -> None:
        super().__init__()
        self.fit = fit
        self.asked: queue.Queue[int] = queue.Queue()
        self.answers: queue.Queue[tuple[float, int] | BaseException] = queue.Queue()
        self.thread: threading.Thread | None = None

    def __call__(self, steps: int) -> tuple[float, int]:
        """Make these steps, or a few more; return the seconds and the number of steps made."""
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
            self.answers.put(RuntimeError("fit has ended"))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.seen = 0
        self._wait()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        made = batch + 1 - self.seen
        if made >= self.due:
            float(logs["loss"])  # wait for it
            self.answers.put((time.perf_counter() - self.begin, made))
            self.seen = batch + 1
            self._wait()

    def _wait(self) -> None:
        self.due = self.asked.get()
        self.begin = time.perf_counter()

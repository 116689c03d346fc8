"""Several workers as processes on this machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cifar_keras.files import unwritable

# Seconds for the workers to save their state after a signal, before they are killed.
_TO_SAVE = 60.0
# Seconds for the workers to report that one is lost, which TensorFlow notices after about ten.
_TO_NOTICE = 30.0
# Tells a worker that its stdin is a pipe from `launch`, which closes when `launch` ends.
_LAUNCHED = "CIFAR_KERAS_LAUNCHED"
_OF_TENSORFLOW = re.compile(
    r"[IWEF]\d{4} [\d:.]+ +\d+ \S+:\d+\] |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] \S+:\d+\] "
)
_OF_OURS = re.compile(r"cifar-keras: |[\w.-]+ seed \d|Traceback ")


@contextmanager
def started(
    command: Sequence[str], logs: Sequence[Path]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a worker for each log file; kill those that still run at the end of the context.

    They run the command with the options that name the workers. The chief worker shares this
    process's stdout.

    Raises:
        RunError: the logs cannot be written.
    """
    addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(len(logs)))
    workers: list[subprocess.Popen[bytes]] = []
    with ExitStack() as held:
        try:
            logs[0].parent.mkdir(parents=True, exist_ok=True)
            files = [held.enter_context(log.open("wb")) for log in logs]
        except OSError as error:
            raise unwritable(logs[0].parent, error) from None
        try:
            for index, file in enumerate(files):
                workers.append(
                    subprocess.Popen(
                        [*command, "--workers", addresses, "--worker-index", str(index)],
                        stdin=subprocess.PIPE,
                        # The chief worker prints the run folder.
                        stdout=None if index == 0 else file,
                        stderr=file,
                        # In its own session, a worker gets signals only from this process.
                        start_new_session=True,
                        env=os.environ | {_LAUNCHED: "1"},
                    )
                )
            yield workers
        finally:
            for worker in workers:
                worker.kill()
                # This waits and closes the pipe.
                worker.communicate()


def end_with_launcher() -> None:
    """Stop this process as by SIGTERM when the `launch` that started it, if any, is gone."""
    if os.environ.pop(_LAUNCHED, None) is None:
        return

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_TO_SAVE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nothing listens now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def watch(
    workers: Sequence[subprocess.Popen[bytes]], received: Sequence[int], shown: Path
) -> int | None:
    """Wait for the workers to end, and return the one that failed first, or None.

    After a failure or a signal the others have limited time to end.

    Args:
        workers: their processes.
        received: signals that this process gets while it waits; they are passed on to all workers.
        shown: the log to copy to stderr, without TensorFlow's own messages.
    """
    failed: int | None = None
    passed_on, deadline = 0, float("inf")
    with shown.open(errors="replace") as text:
        ours = _Ours()
        while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.2)
            sys.stderr.write(ours.of(text.read()))
            for number in received[passed_on:]:
                passed_on += 1
                deadline = min(deadline, time.monotonic() + _TO_SAVE)
                for worker in workers:
                    worker.send_signal(number)
            codes = [worker.poll() for worker in workers]
            if failed is None and any(codes):
                # Report the worker that died, not those that lost it.
                failed = min((code, index) for index, code in enumerate(codes) if code)[1]
                deadline = min(deadline, time.monotonic() + _TO_NOTICE)
        sys.stderr.write(ours.of(text.read() + "\n").removesuffix("\n"))
    return failed


class _Ours:
    """Filters TensorFlow's messages, which may have several lines, out of a log."""

    def __init__(self) -> None:
        self._begun = ""
        self._hidden = False

    def of(self, text: str) -> str:
        *lines, self._begun = (self._begun + text).split("\n")
        return "".join(self._shown(lines))

    def _shown(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            if _OF_TENSORFLOW.match(line):
                self._hidden = True
            elif _OF_OURS.match(line):
                self._hidden = False
            if not self._hidden:
                yield f"{line}\n"

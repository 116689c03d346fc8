"""Several workers as processes of this machine."""

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

# Seconds that the workers have to save the state once a signal came, before they are killed.
_TO_SAVE = 60.0
# And to say that another is lost, which TensorFlow takes some ten to notice.
_TO_NOTICE = 30.0
# Tells a worker that its stdin is a pipe from `launch`, which ends when `launch` does.
_LAUNCHED = "CIFAR_KERAS_LAUNCHED"
_OF_TENSORFLOW = re.compile(
    r"[IWEF]\d{4} [\d:.]+ +\d+ \S+:\d+\] |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] \S+:\d+\] "
)
_OF_OURS = re.compile(r"cifar-keras: |[\w.-]+ seed \d|Traceback ")


@contextmanager
def started(
    command: Sequence[str], logs: Sequence[Path]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give a worker for each log file, with this command and the options that name the workers.

    They do not outlive this. The chief's stdout is this process'.

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
                        # The chief prints the run folder.
                        stdout=None if index == 0 else file,
                        stderr=file,
                        # A signal comes to them from here, once.
                        start_new_session=True,
                        env=os.environ | {_LAUNCHED: "1"},
                    )
                )
            yield workers
        finally:
            for worker in workers:
                worker.kill()
                # Waits, and closes the pipe.
                worker.communicate()


def end_with_launcher() -> None:
    """Stop this process as by SIGTERM once the `launch` that started it is gone, if one did."""
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
    """Return ports of this machine that nothing listens on at present."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def watch(
    workers: Sequence[subprocess.Popen[bytes]], received: Sequence[int], shown: Path
) -> int | None:
    """Return the worker that failed first, once all have ended or have had the time to.

    Signals that are added to `received` are passed on to all; what is logged to `shown` is copied
    to stderr, but for TensorFlow's own messages.
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
    """The lines of a log but for messages of TensorFlow, which may go on over several lines."""

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

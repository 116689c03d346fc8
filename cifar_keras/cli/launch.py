"""`launch`: several workers on this machine, for trying out what several machines would do."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cifar_keras.cli.training import noted, to_go_on, with_command
from cifar_keras.errors import DeviceError, RunError
from cifar_keras.files import unwritable

# Seconds that the workers have to save the state once a signal came, before they are killed.
_TO_SAVE = 60.0
# And to say that another is lost, which TensorFlow takes some ten to notice.
_TO_NOTICE = 30.0


def launch(options: argparse.Namespace) -> int:
    """Start the workers, show what the chief says, and end all when one ends badly."""
    command: list[str] = options.command
    if command[:1] != ["train"]:
        options.parser.error("what to launch begins with train: launch --local 2 train ...")
    given = {each.partition("=")[0] for each in command} & {"--workers", "--worker-index"}
    if given:
        raise DeviceError(f"launch gives {min(given)} to the workers itself; leave it out")
    logs = [options.log_dir / f"worker-{index}.log" for index in range(options.local)]
    received: list[int] = []
    with noted(received), _started(command, logs) as workers:
        failed = _watch(workers, received, logs[0])
    if received:
        raise with_command("interrupted", received[0], options.argv)
    if failed is not None:
        code = workers[failed].returncode
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise RunError(
            f"worker {failed} ended with {name}, and the others after it; see '{logs[failed]}'; "
            f"go on with: {to_go_on(options.argv)}"
        )
    return 0


@contextmanager
def _started(
    command: Sequence[str], logs: Sequence[Path]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The workers, which do not outlive this."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in _free_ports(len(logs)))
    start = [sys.executable, "-m", "cifar_keras", *command, "--workers", addresses]
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
                        [*start, "--worker-index", str(index)],
                        # The chief prints the run folder.
                        stdout=None if index == 0 else file,
                        stderr=file,
                        # A signal comes to them from here, once.
                        start_new_session=True,
                    )
                )
            yield workers
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _watch(
    workers: Sequence[subprocess.Popen[bytes]], received: Sequence[int], shown: Path
) -> int | None:
    """The worker that failed first, once all have ended or have had the time to."""
    failed: int | None = None
    passed_on, deadline = 0, float("inf")
    with shown.open() as text:
        while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.2)
            sys.stderr.write(text.read())
            for number in received[passed_on:]:
                passed_on += 1
                deadline = min(deadline, time.monotonic() + _TO_SAVE)
                for worker in workers:
                    worker.send_signal(number)
            codes = [worker.poll() for worker in workers]
            if failed is None and any(codes):
                # Who was killed has lost nobody.
                failed = min((code, index) for index, code in enumerate(codes) if code)[1]
                deadline = min(deadline, time.monotonic() + _TO_NOTICE)
        sys.stderr.write(text.read())
    return failed

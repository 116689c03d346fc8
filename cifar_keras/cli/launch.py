"""`launch`: several workers on this machine, for trying out what several machines would do."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from cifar_keras.cli.arguments import to_go_on, with_command
from cifar_keras.cli.queue import queued
from cifar_keras.cli.training import take_precision
from cifar_keras.distribute.launch import started, watch
from cifar_keras.errors import DeviceError, RunError
from cifar_keras.run.signals import listed


def launch(options: argparse.Namespace) -> int:
    """Start the workers, show what the chief says, and end all when one ends badly."""
    command: list[str] = options.command
    if command[:1] != ["train"]:
        options.parser.error("what to launch begins with train: launch --local 2 train ...")
    given = {each.partition("=")[0] for each in command} & {"--workers", "--worker-index"}
    if given:
        raise DeviceError(f"launch gives {min(given)} to the workers itself; leave it out")
    folder = options.log_dir or _log_dir(command)
    logs = [folder / f"worker-{index}.log" for index in range(options.local)]
    start = [sys.executable, "-m", "cifar_keras", *command]
    with listed() as received, started(start, logs) as workers:
        failed = watch(workers, received, logs[0])
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


def _log_dir(command: list[str]) -> Path:
    """Return `worker-logs/RECIPE/RUN` in the folder of run folders; of several runs the first's."""
    from cifar_keras.cli.parser import parse

    asked = parse(command)
    take_precision(asked)
    run = queued(asked)[0]
    # Not in the run folder itself, which --fresh puts aside while the workers already log.
    return asked.run_dir / "worker-logs" / run.folder.relative_to(asked.run_dir)

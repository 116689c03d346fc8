"""`launch`: start several workers on this machine, to try out distributed training."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from cifar_keras.cli.arguments import resuming, with_command
from cifar_keras.cli.queue import queued
from cifar_keras.cli.training import take_precision
from cifar_keras.distribute.launch import started, watch
from cifar_keras.errors import DeviceError, RunError
from cifar_keras.run.signals import listed


def launch(options: argparse.Namespace) -> int:
    """Start the workers, show the chief worker's output, and stop all if one fails."""
    command: list[str] = options.command
    if command[:1] != ["train"]:
        options.parser.error("the command to launch must be train: launch --local 2 train ...")
    given = {each.partition("=")[0] for each in command} & {"--workers", "--worker-index"}
    if given:
        raise DeviceError(f"launch sets {min(given)} for each worker; leave it out")
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
            f"worker {failed} ended with {name}, so all were stopped; see '{logs[failed]}'; "
            f"resume with: {resuming(options.argv)}"
        )
    return 0


def _log_dir(command: list[str]) -> Path:
    """Return `worker-logs/RECIPE/RUN` in --run-dir; for several runs, that of the first."""
    from cifar_keras.cli.parser import parse

    asked = parse(command)
    take_precision(asked)
    run = queued(asked)[0]
    # Not in the run folder, which --fresh renames while the workers are already logging.
    return asked.run_dir / "worker-logs" / run.folder.relative_to(asked.run_dir)

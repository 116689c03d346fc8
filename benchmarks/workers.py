"""Run contenders as processes, of which only one runs at a time."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.families import Contender

ROOT = Path(__file__).resolve().parent.parent
REFERENCES = ROOT / "parity" / "references"
# XLA takes minutes to compile a deep network.
PATIENCE = 1800.0
# Maximum length of a message in the report.
_LONGEST = 160


class Failed(Exception):
    """A contender that could not start, or failed later; the message is for the report."""


def command(contender: Contender, *arguments: str) -> list[str]:
    """Return the contender's command line with its own options."""
    python = str(_interpreter(contender.venv))
    module = f"benchmarks.peers.{contender.module}"
    return [python, "-m", module, *arguments, *contender.options]


def environment(contender: Contender) -> dict[str, str]:
    """Return the contender's environment: our environment with its own variables."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(REFERENCES)])}
    variables.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name, value in contender.variables.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return variables


def _interpreter(venv: str) -> Path:
    if not venv:
        return Path(sys.executable)
    python = ROOT / "parity" / f".venv-{venv}" / "bin" / "python"
    if not python.exists():
        raise Failed("its environment is missing; run 'make bench'")
    return python


class Worker:
    """One contender's process, stopped by a signal between its turns.

    A stopped process takes no processor time from the others, even if its threads spin.

    Args:
        arguments: The whole command line.
        variables: Its environment.
        log: File for its stderr.

    Raises:
        Failed: If it does not report `ready`.
    """

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self.log = log.open("wb")
        self.pending = b""
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            arguments,
            env=dict(variables),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            # Unbuffered: a request to a dead process fails at once, not again when its pipe closes.
            bufsize=0,
            # Its own process group, which includes the compilers it may start. If this process is
            # killed, the kernel ends the stopped group, because no parent is left to wake it.
            preexec_fn=os.setpgrp,
        )
        try:
            self.facts: dict[str, Any] = json.loads(self._answer("ready"))
        except BaseException:
            self.close()
            raise
        self.first_step = time.perf_counter() - begin
        self._signal(signal.SIGSTOP)

    def go(self, case: str, steps: int) -> tuple[float, int]:
        """Make it run steps of a case; return the seconds and the number of steps it made."""
        taken, made = self._ask(f"go {case} {steps}", "seconds").split()
        return float(taken), int(made)

    def peak(self) -> int:
        """Return its peak memory so far, in MiB."""
        return int(self._ask("peak", "peak"))

    def close(self) -> None:
        """Kill it with all processes that it has started."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        self.log.close()

    def _ask(self, request: str, expected: str) -> str:
        assert self.process.stdin is not None
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(f"{request}\n".encode())
            self.process.stdin.flush()
            return self._answer(expected)
        except OSError:
            raise Failed(self._end()) from None
        finally:
            self._signal(signal.SIGSTOP)

    def _answer(self, expected: str) -> str:
        kind, _, rest = self._line().partition(" ")
        if kind != expected:
            raise Failed(readable(rest if kind == "failed" else f"it sent '{kind} {rest}'"))
        return rest

    def _line(self) -> str:
        assert self.process.stdout is not None
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            if not ready:
                raise Failed(f"no answer in {PATIENCE:.0f} s")
            read = os.read(self.process.stdout.fileno(), 1 << 16)
            if not read:
                raise Failed(self._end())
            self.pending += read
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode()

    def _end(self) -> str:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return "it was killed, as happens when memory runs out"
        return f"it ended by signal {-code}" if code < 0 else f"it ended with code {code}"

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)


def readable(message: str) -> str:
    """Return the beginning of a message, without the folders of this machine."""
    message = re.sub(r"(/[\w.+-]+)+/([\w.+-]+)", r"\2", " ".join(message.split()))
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."

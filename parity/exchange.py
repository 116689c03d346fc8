"""Questions to the reference frameworks, each of which lives in an environment of its own."""

import json
import subprocess
from pathlib import Path

import numpy as np

from parity.references.layout import SETTINGS, Arrays

FOLDER = Path(__file__).resolve().parent
SCRATCH = FOLDER / "exchange"
# Environments, and what is in them.
FRAMEWORKS = {"mxnet": "MXNet", "mxnet_rrelu": "MXNet", "torch": "PyTorch"}
TIMEOUT = 300
# The version that a framework says it has, once it has been asked something.
versions: dict[str, str] = {}


def interpreter(framework: str) -> Path:
    """The Python of the framework's environment, which `make parity` makes."""
    return FOLDER / f".venv-{framework}" / "bin" / "python"


def ask(framework: str, task: str, arrays: Arrays, **settings: object) -> Arrays:
    """The framework's answer: the arrays that the task makes of these arrays and settings.

    Raises:
        RuntimeError: the framework's process failed; the message ends in what it said.
    """
    SCRATCH.mkdir(exist_ok=True)
    question = SCRATCH / f"{framework}-{task}.npz"
    reply = question.with_name(f"{question.stem}-reply.npz")
    reply.unlink(missing_ok=True)
    np.savez(question, **{SETTINGS: np.array(json.dumps(settings))}, **arrays)
    script = FOLDER / "references" / f"{framework}_tasks.py"
    command = [str(interpreter(framework)), str(script), task, str(question), str(reply)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode:
        raise RuntimeError(f"{FRAMEWORKS[framework]} failed at '{task}':\n{done.stderr[-4000:]}")
    with np.load(reply) as file:
        answered = dict(file)
    versions[framework] = str(answered.pop("version"))
    return answered

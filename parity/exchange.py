"""Run tasks in the reference frameworks, each in its own environment."""

import json
import subprocess
from pathlib import Path

import numpy as np

from parity.references.layout import SETTINGS, Arrays

FOLDER = Path(__file__).resolve().parent
SCRATCH = FOLDER / "exchange"
# Environment -> framework.
FRAMEWORKS = {"mxnet": "MXNet", "mxnet_rrelu": "MXNet", "torch": "PyTorch"}
TIMEOUT = 300
# The version that each framework reports, known after its first task.
versions: dict[str, str] = {}


def interpreter(framework: str) -> Path:
    """Return the Python of the framework's environment, which `make parity` creates."""
    return FOLDER / f".venv-{framework}" / "bin" / "python"


def ask(framework: str, task: str, arrays: Arrays, **settings: object) -> Arrays:
    """Run a task in the framework and return the arrays it computes.

    Raises:
        RuntimeError: If the framework's process fails. The message ends with its stderr.
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

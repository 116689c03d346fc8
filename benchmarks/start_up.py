"""Time the commands that need no TensorFlow."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.workers import ROOT
from cifar_keras import records

# A committed run. `report` gets this many copies of it, each with its own seed.
RUN = ROOT / "reports" / "runs" / "resnet20" / "seed-1-budget-0.1"
COPIES = 30


def start_up(repeats: int, scratch: Path) -> dict[str, Any]:
    """Return the seconds of each repeat by command, measured in turns."""
    folder = scratch / "runs"
    copy_run(RUN, folder)
    report = ["report", "--run-dir", str(folder), "--output", str(scratch / "report")]
    commands = {
        "--help": ["--help"],
        "recipes": ["recipes"],
        f"report ({COPIES} runs)": report,
    }
    return timed_in_turns(commands, repeats)


def timed_in_turns(commands: Mapping[str, list[str]], repeats: int) -> dict[str, Any]:
    """Return the seconds of `cifar-keras` with these arguments in each repeat except the first."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats + 1):
        for name, arguments in commands.items():
            begin = time.perf_counter()
            command = [sys.executable, "-m", "cifar_keras", *arguments]
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begin)
    return {name: values[1:] for name, values in seconds.items()}


def copy_run(source: Path, target: Path, copies: int = COPIES) -> None:
    """Copy a finished run with other seeds and other weights, so that each copy counts."""
    for seed in range(1, copies + 1):
        folder = target / source.parent.name / source.name.replace("seed-1", f"seed-{seed}")
        shutil.copytree(source, folder)
        run = json.loads((folder / records.RUN).read_text())
        (folder / records.RUN).write_text(json.dumps(run | {"seed": seed}))
        weights = folder / records.WEIGHTS
        if weights.exists():
            weights.write_bytes(weights.read_bytes() + bytes([seed]))
        digest = hashlib.sha256(weights.read_bytes() if weights.exists() else bytes([seed]))
        result = json.loads((folder / records.RESULT).read_text())
        result["weights_sha256"] = digest.hexdigest()
        (folder / records.RESULT).write_text(json.dumps(result))

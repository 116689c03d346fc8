"""Read and write reports/benchmarks.json: sections of parts, each part from one run."""

import json
from pathlib import Path
from typing import Any

from cifar_keras.files import write_bytes

Results = dict[str, Any]


def read(path: Path) -> Results:
    """Return the results so far, empty without a file."""
    return json.loads(path.read_text()) if path.exists() else {}


def merged(old: Results, new: Results) -> Results:
    """Return the old results with the new parts replacing theirs.

    A part is replaced as a whole, because the contenders in one table are measured in turns.
    """
    sections = [*old, *(each for each in new if each not in old)]
    return {section: old.get(section, {}) | new.get(section, {}) for section in sections}


def write(path: Path, results: Results) -> None:
    """Write the results, with the same bytes for the same results."""
    write_bytes(path, (json.dumps(results, indent=1) + "\n").encode())


def rates(part: Results, contender: str, case: str, batch_size: int) -> list[float]:
    """Return a contender's images per second in each repeat, empty if it was not measured."""
    repeats = part["contenders"].get(contender, {}).get("cases", {}).get(case, [])
    return [steps * batch_size / seconds for steps, seconds in repeats]

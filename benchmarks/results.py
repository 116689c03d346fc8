"""reports/benchmarks.json: sections of figures, each section's parts from one run each."""

import json
from pathlib import Path
from typing import Any

from cifar_keras.files import write_bytes

Results = dict[str, Any]


def read(path: Path) -> Results:
    """The results so far; none where there is no file."""
    return json.loads(path.read_text()) if path.exists() else {}


def merged(old: Results, new: Results) -> Results:
    """The old results with the new parts in place of theirs.

    A part is replaced whole: two contenders that stand side by side were measured in turns.
    """
    sections = [*old, *(each for each in new if each not in old)]
    return {section: old.get(section, {}) | new.get(section, {}) for section in sections}


def write(path: Path, results: Results) -> None:
    """Write the results; the same for the same results."""
    write_bytes(path, (json.dumps(results, indent=1) + "\n").encode())


def rates(part: Results, contender: str, case: str, batch_size: int) -> list[float]:
    """A contender's images per second in each repeat; none where it was not measured."""
    repeats = part["contenders"].get(contender, {}).get("cases", {}).get(case, [])
    return [steps * batch_size / seconds for steps, seconds in repeats]

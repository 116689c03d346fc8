"""The contender's end of the line: what it says, and how it is asked. Nothing but Python.

    ready {...}              once, when the first step has been made; versions and other facts
    go CASE STEPS     ->     seconds S STEPS, the steps that were really made
    peak              ->     peak MIB, the most memory held so far
    quit, or the end of the input

Whatever goes wrong is told as `failed KIND: TEXT`, and ends it.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

# A step that is never reached.
NEVER = 10**7
# Steps to (seconds, steps that were really made).
Case = Callable[[int], tuple[float, int]]


def timed(steps: Callable[[int], object]) -> Case:
    """The case of work that lasts as long as its call."""

    def case(count: int) -> tuple[float, int]:
        begin = time.perf_counter()
        steps(count)
        return time.perf_counter() - begin, count

    return case


def serve(make: Callable[[], tuple[Mapping[str, Case], dict[str, Any]]]) -> None:
    """Make the cases, make one step of the first, and answer until the end.

    Frameworks print: what they write to stdout goes to stderr from here on.
    """
    line = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # Whoever asks may end this process at any time.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        cases, facts = make()
        next(iter(cases.values()))(1)
        print("ready", json.dumps(facts), file=line)
        for request in sys.stdin:
            if request.strip() == "quit":
                break
            print(_answer(request.split(), cases), file=line)
    except BaseException as error:
        _tell(error, line)
        raise
    finally:
        line.flush()
        # Threads of `fit` that wait for ever would hold up any other end.
        os._exit(0)


def _answer(words: list[str], cases: Mapping[str, Case]) -> str:
    if words[0] == "peak":
        return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"
    taken, steps = cases[words[1]](int(words[2]))
    return f"seconds {taken!r} {steps}"


def _tell(error: BaseException, line: TextIO) -> None:
    import traceback

    traceback.print_exc()
    text = " ".join(str(error).split())
    print(f"failed {type(error).__name__}: {text}", file=line)

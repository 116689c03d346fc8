"""The contender's side of the protocol. It imports only the standard library.

    ready {...}              once, after the first step; versions and other facts
    go CASE STEPS     ->     seconds S STEPS, with the number of steps made
    peak              ->     peak MIB, the peak memory so far
    quit, or the end of the input

An error is reported as `failed KIND: TEXT` and ends the process.
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
# Steps -> (seconds, steps made).
Case = Callable[[int], tuple[float, int]]


def timed(steps: Callable[[int], object]) -> Case:
    """Return a case that times one call."""

    def case(count: int) -> tuple[float, int]:
        begin = time.perf_counter()
        steps(count)
        return time.perf_counter() - begin, count

    return case


def serve(make: Callable[[], tuple[Mapping[str, Case], dict[str, Any]]]) -> None:
    """Create the cases, run one step of the first, and answer requests until the end.

    From here on stdout goes to stderr, because frameworks print to it.
    """
    line = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # The parent may end this process at any time, so no output may wait in a buffer.
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
        _report(error, line)
        raise
    finally:
        line.flush()
        # A normal exit would wait for threads of `fit` that never end.
        os._exit(0)


def _answer(words: list[str], cases: Mapping[str, Case]) -> str:
    if words[0] == "peak":
        return f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"
    taken, steps = cases[words[1]](int(words[2]))
    return f"seconds {taken!r} {steps}"


def _report(error: BaseException, line: TextIO) -> None:
    import traceback

    traceback.print_exc()
    text = " ".join(str(error).split())
    print(f"failed {type(error).__name__}: {text}", file=line)

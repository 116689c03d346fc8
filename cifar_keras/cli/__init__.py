"""The commands: parse, call, print.

Nothing heavy is imported here: TensorFlow only where a command trains or evaluates, pydantic only
where one reads a recipe or a run. `--help` answers at once.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import TextIO

from cifar_keras.cli.parser import parse
from cifar_keras.cli.say import say
from cifar_keras.errors import CifarKerasError, Interrupted, RecipeError, in_one_line

# Nobody reads a longer line; what a file holds may be in it.
_LONGEST = 1_000


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        return in_one_line(text) if record.name == "cifar_keras" else text


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the time, which a bar may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    It is 0, 1 for an error that the user can fix, 2 for misuse, or 128 plus the number of a signal.
    """
    handler = _ToStderr()
    handler.setFormatter(_OneLine("cifar-keras: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.addLevelName(logging.WARNING, "warning")
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        code = int(options.function(options) or 0)
        sys.stdout.flush()
        return code
    except Interrupted as stop:
        say(str(stop))
        return 128 + stop.signal
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + signal.SIGINT
    except CifarKerasError as error:
        # Another error is one line; a break in it is of a file's name.
        lines = str(error).split("\n") if isinstance(error, RecipeError) else [str(error)]
        for line in lines:
            say(f"error: {line if len(line) <= _LONGEST else line[: _LONGEST - 3] + '...'}")
        return 1
    except BrokenPipeError:
        # The reader closed the pipe. Python would report it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE

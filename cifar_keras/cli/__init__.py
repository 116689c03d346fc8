"""The commands: parse the options, call one function, print the result.

Commands import what is slow only when they need it: TensorFlow to train or evaluate, pydantic to
read a recipe or a run. `--help` imports neither.
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

# Messages may quote the content of a file, so their length is limited.
_LONGEST = 1_000


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        return in_one_line(text) if record.name == "cifar_keras" else text


class _ToStderr(logging.StreamHandler[TextIO]):
    """Write to the current sys.stderr, which a progress bar may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    It is 0; 1 for an error that the user can fix; 2 for wrong options; or 128 plus the number of a
    signal.
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
        # Only a RecipeError has several lines; in others a line break is part of a file name.
        lines = str(error).split("\n") if isinstance(error, RecipeError) else [str(error)]
        for line in lines:
            say(f"error: {line if len(line) <= _LONGEST else line[: _LONGEST - 3] + '...'}")
        return 1
    except BrokenPipeError:
        # The reader closed the pipe. Python would report it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE

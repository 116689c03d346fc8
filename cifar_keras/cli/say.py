"""Messages of the commands, besides their results."""

import sys

from cifar_keras.errors import in_one_line


def say(text: str) -> None:
    """Print a line on stderr: stdout holds only the command's result."""
    print(f"cifar-keras: {in_one_line(text)}", file=sys.stderr)

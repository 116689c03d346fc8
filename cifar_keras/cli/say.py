"""What the commands tell beside their output."""

import sys

from cifar_keras.errors import in_one_line


def say(text: str) -> None:
    """A line on stderr: stdout is the command's result alone."""
    print(f"cifar-keras: {in_one_line(text)}", file=sys.stderr)

"""What the commands tell beside their output."""

import sys


def say(text: str) -> None:
    """A line on stderr: stdout is the command's result alone."""
    print(f"cifar-keras: {text}", file=sys.stderr)

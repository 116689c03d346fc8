"""A command's arguments, for its children and for the command to go on with."""

import shlex
from collections.abc import Sequence

from cifar_keras.errors import Interrupted


def with_command(message: str, number: int, arguments: Sequence[str]) -> Interrupted:
    """Return the interruption by this signal, with the command to go on with."""
    return Interrupted(f"{message}; go on with: {to_go_on(arguments)}", number)


def to_go_on(arguments: Sequence[str]) -> str:
    """Return the command again, but for --fresh, which would start over once more."""
    return shlex.join(["cifar-keras", *(each for each in arguments if each != "--fresh")])


def without(arguments: Sequence[str], *options: str) -> list[str]:
    """Return the arguments without these options and their values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in options:
            next(rest)
        elif argument.partition("=")[0] not in options:
            kept.append(argument)
    return kept

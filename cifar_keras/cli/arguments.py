"""Rewrite a command's arguments, for child processes and for resuming."""

import shlex
from collections.abc import Sequence

from cifar_keras.errors import Interrupted


def with_command(message: str, number: int, arguments: Sequence[str]) -> Interrupted:
    """Return the error for this signal, with the command to resume with."""
    return Interrupted(f"{message}; resume with: {resuming(arguments)}", number)


def resuming(arguments: Sequence[str]) -> str:
    """Return the command that resumes: the same without --fresh, which would start over."""
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

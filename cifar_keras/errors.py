"""Errors that a user can fix: one family of errors, one `except` in `cli.main`.

Each of these errors is printed as one line on stderr, without a traceback, and ends the
command with exit code 1. A bug is any other exception and keeps its traceback.
"""


def in_one_line(text: str) -> str:
    """Return the text with line breaks and other unprintable characters escaped."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class CifarKerasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class RecipeError(CifarKerasError):
    """A recipe that is unknown, malformed or cannot be trained: one line per mistake."""


class DataError(CifarKerasError):
    """A data set that is missing, damaged, or not what its name says."""


class RunError(CifarKerasError):
    """A run folder that is unusable: unwritable, incomplete, or of another recipe."""


class DeviceError(CifarKerasError):
    """A requested device that is not available."""


class BackendError(CifarKerasError):
    """Keras uses a backend other than TensorFlow."""


class ArgumentError(CifarKerasError, ValueError):
    """An argument of the Python API with an impossible value."""


class MissingPackage(CifarKerasError):
    """An option needs a package that is not installed."""


class Interrupted(CifarKerasError):
    """A run that was stopped by a signal after saving its state; `signal` is its number."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal

"""What a user can mend: one family of errors, one `except` in `cli.main`.

Everything raised from here is printed as one line on stderr, without a traceback, and ends the
command with exit code 1. A bug is any other exception and keeps its traceback.
"""


def in_one_line(text: str) -> str:
    """Return the text with whatever does not print escaped, line breaks among it."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class CifarKerasError(Exception):
    """Base of every error whose message alone tells the user what to do."""


class RecipeError(CifarKerasError):
    """A recipe that is unknown, malformed, or impossible to carry out: a line for each mistake."""


class DataError(CifarKerasError):
    """A data set that is missing, damaged, or not what its name says."""


class RunError(CifarKerasError):
    """A run folder that is unusable: unwritable, incomplete, or of another recipe."""


class DeviceError(CifarKerasError):
    """A device that was asked for and is not there."""


class BackendError(CifarKerasError):
    """Keras runs on another backend than TensorFlow."""


class ArgumentError(CifarKerasError, ValueError):
    """An argument of the Python API with an impossible value."""


class MissingPackage(CifarKerasError):
    """A package that an option needs and that is not installed."""


class Interrupted(CifarKerasError):
    """A run that a signal has stopped, its state saved; `signal` is the signal's number."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal

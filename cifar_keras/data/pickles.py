"""Reads the dictionaries of arrays and lists that CIFAR's Python 2 pickles hold, and nothing else.

A pickle is a program; this reader lets it name only what builds a NumPy array.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cifar_keras.errors import DataError


def _encode_latin1(text: str, encoding: str) -> bytes:
    # Python 3 writes bytes this way in protocol 2. Any other codec is no part of a CIFAR file,
    # and looking one up imports modules.
    if encoding != "latin1":
        raise DataError(f"a pickle may encode latin1 only. Received: {encoding!r}")
    return text.encode("latin1")


def _array_reconstruct() -> Callable[..., Any]:
    # `_reconstruct` moved in NumPy 2, and importing it by either name warns or fails in the other;
    # a pickled array carries the one at hand.
    return cast(Callable[..., Any], np.empty(0).__reduce__()[0])


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _array_reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _array_reconstruct(),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode_latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(
                f"its pickle asks for {module}.{name}, which no CIFAR file needs; nothing of it "
                "was run. Delete the file and fetch the official one"
            ) from None


def load_dictionary(content: bytes) -> dict[str, Any]:
    """Returns the pickled dictionary, its keys as text, its other strings as they are stored.

    Args:
        content: The whole file.

    Raises:
        DataError: If the pickle names a global outside the allow-list, is damaged, or holds
            anything but a dictionary. The message lacks the file's name.
    """
    try:
        value = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except DataError:
        raise
    # Damaged bytes make a pickle raise nearly anything.
    except Exception as error:
        raise DataError(
            f"not a readable pickle, truncated or altered ({type(error).__name__}); "
            "delete it and fetch the official one"
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"its pickle must hold a dictionary. Received: {type(value).__name__}; "
            "delete it and fetch the official one"
        )
    return {as_text(key): item for key, item in value.items()}


def as_text(value: object) -> str:
    """The text of a pickled string, which Python 2 stored as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""Read the dictionaries of arrays and lists in CIFAR's Python 2 pickles, and nothing else.

A pickle is a program. This reader runs only the few opcodes that build such a dictionary. It never
calls the functions that a pickle names, and creates only uint8 arrays.
"""

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import prod
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifar_keras.errors import DataError

REFETCH = "delete it and fetch the official one"
# CIFAR-100's train has 310,000 opcodes, and 500,000 as Python 3 writes it in protocol 2. Each adds
# at most one small value or bytes that the file contains, so this also bounds the memory.
MOST_OPCODES = 2**20
LONGEST_KEY = 255
MOST_DIMENSIONS = 4


class _Inert(Enum):
    """The objects that a CIFAR pickle may name; they have no effect here."""

    RECONSTRUCT = "numpy's function that creates an array without content"
    FROM_BUFFER = "the same with content, in protocol 5"
    ENCODE = "how Python 3 writes bytes in protocol 2"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    UINT8 = "numpy.dtype('u1')"


# `numpy.core` became `numpy._core` in NumPy 2.
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _Inert.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Inert.RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _Inert.FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _Inert.FROM_BUFFER,
    ("_codecs", "encode"): _Inert.ENCODE,
    ("numpy", "ndarray"): _Inert.NDARRAY,
    ("numpy", "dtype"): _Inert.DTYPE,
}


@dataclass
class _Array:
    """An array, which a pickle creates first and fills afterwards."""

    values: NDArray[np.uint8] | None = None


# Lists hold only these, so that no result nests deeply or contains itself.
_PLAIN = (str, bytes, int, float, NoneType)


class _Reader:
    """The stack machine of pickle opcodes, without function calls."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0
        self.stack: list[Any] = []
        self.below_marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0

    def read(self) -> Any:
        for _ in range(MOST_OPCODES):
            opcode = self.take(1)
            if opcode == pickle.STOP:
                [value] = self.stack
                return value
            if opcode not in _STEPS:
                raise DataError(
                    f"its pickle uses the opcode {opcode!r}, which no CIFAR file needs; it was not "
                    f"run; {REFETCH}"
                )
            _STEPS[opcode](self)
        raise DataError(f"its pickle has more than {MOST_OPCODES:,} opcodes; {REFETCH}")

    def take(self, count: int) -> bytes:
        end = self.position + count
        if not self.position <= end <= len(self.content):
            raise EOFError(f"{count} bytes from {self.position} on")
        taken = self.content[self.position : end]
        self.position = end
        return taken

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        end = self.content.index(b"\n", self.position)
        return self.take(end + 1 - self.position)[:-1].decode()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.below_marks.append(self.stack)
        self.stack = []

    def pop_marked(self) -> list[Any]:
        items, self.stack = self.stack, self.below_marks.pop()
        return items

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError(f"{count} values needed, {len(self.stack)} there")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def memoize(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list or not all(isinstance(item, _PLAIN) for item in items):
            raise ValueError("a list holds numbers and text only")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise ValueError("not a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes) or len(key) > LONGEST_KEY:
                raise ValueError("a key must be short text")
            if isinstance(value, _Array) and value.values is not None:
                value = value.values
            elif not isinstance(value, (*_PLAIN, list)):
                raise ValueError("a value must be plain, a list or an array")
            target[key] = value

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise ValueError("a name must be text")
        if (module, name) not in _GLOBALS:
            raise DataError(
                f"its pickle asks for {_shown(module)}.{_shown(name)}, which no CIFAR file needs; "
                f"it was not run; {REFETCH}"
            )
        self.push(_GLOBALS[module, name])

    def reduce(self) -> None:
        function, arguments = self.pop(2)
        match function, arguments:
            case _Inert.RECONSTRUCT, (_Inert.NDARRAY, (0,), "b" | b"b"):
                self.push(_Array())
            case _Inert.DTYPE, ("u1" | b"u1", _, _):
                self.push(_Inert.UINT8)
            case _Inert.DTYPE, (str() | bytes() as kind, _, _):
                raise DataError(
                    f"must be an array of uint8. Received: an array of {_shown(kind)}; {REFETCH}"
                )
            case _Inert.FROM_BUFFER, (bytes() as data, _Inert.UINT8, shape, "C"):
                self.push(_Array(_array(shape, data)))
            case _Inert.ENCODE, (str() as text, "latin1"):
                self.push(self.encode(text))
            case _Inert.ENCODE, (_, str() | bytes() as encoding):
                raise DataError(
                    f"a pickle may encode latin1 only. Received: {_shown(encoding)}; {REFETCH}"
                )
            case _:
                raise ValueError("a call that makes no array of uint8")

    def encode(self, text: str) -> bytes:
        # Encoding one text again and again would fill the memory.
        self.encoded += len(text)
        if self.encoded > len(self.content):
            raise ValueError("encodes more than it holds")
        return text.encode("latin-1")

    def build(self) -> None:
        target, state = self.pop(2)
        match target, state:
            case _Array(values=None), (1, shape, _Inert.UINT8, False, bytes() as data):
                target.values = _array(shape, data)
            case _Inert.UINT8, (3, "|" | b"|", None, None, None, -1, -1, 0):
                pass
            case _:
                raise ValueError("a state that no array of uint8 has")
        self.push(target)


_STEPS: dict[bytes, Callable[[_Reader], object]] = {
    pickle.PROTO: lambda reader: reader.take(1),
    pickle.FRAME: lambda reader: reader.take(8),
    pickle.NONE: lambda reader: reader.push(None),
    pickle.NEWTRUE: lambda reader: reader.push(True),
    pickle.NEWFALSE: lambda reader: reader.push(False),
    pickle.BININT: lambda reader: reader.push(reader.number(4, signed=True)),
    pickle.BININT1: lambda reader: reader.push(reader.number(1)),
    pickle.BININT2: lambda reader: reader.push(reader.number(2)),
    pickle.LONG1: lambda reader: reader.push(reader.number(reader.number(1), signed=True)),
    pickle.BINFLOAT: lambda reader: reader.push(*struct.unpack(">d", reader.take(8))),
    # Python 2's strings are bytes.
    pickle.SHORT_BINSTRING: lambda reader: reader.push(reader.take(reader.number(1))),
    pickle.BINSTRING: lambda reader: reader.push(reader.take(reader.number(4, signed=True))),
    pickle.SHORT_BINBYTES: lambda reader: reader.push(reader.take(reader.number(1))),
    pickle.BINBYTES: lambda reader: reader.push(reader.take(reader.number(4))),
    pickle.BINBYTES8: lambda reader: reader.push(reader.take(reader.number(8))),
    pickle.BYTEARRAY8: lambda reader: reader.push(reader.take(reader.number(8))),
    pickle.SHORT_BINUNICODE: lambda reader: reader.push(reader.take(reader.number(1)).decode()),
    pickle.BINUNICODE: lambda reader: reader.push(reader.take(reader.number(4)).decode()),
    pickle.BINUNICODE8: lambda reader: reader.push(reader.take(reader.number(8)).decode()),
    pickle.EMPTY_LIST: lambda reader: reader.push([]),
    pickle.EMPTY_DICT: lambda reader: reader.push({}),
    pickle.EMPTY_TUPLE: lambda reader: reader.push(()),
    pickle.TUPLE1: lambda reader: reader.push(tuple(reader.pop(1))),
    pickle.TUPLE2: lambda reader: reader.push(tuple(reader.pop(2))),
    pickle.TUPLE3: lambda reader: reader.push(tuple(reader.pop(3))),
    pickle.MARK: lambda reader: reader.mark(),
    pickle.TUPLE: lambda reader: reader.push(tuple(reader.pop_marked())),
    pickle.APPEND: lambda reader: reader.extend(reader.pop(1)),
    pickle.APPENDS: lambda reader: reader.extend(reader.pop_marked()),
    pickle.SETITEM: lambda reader: reader.set_items(reader.pop(2)),
    pickle.SETITEMS: lambda reader: reader.set_items(reader.pop_marked()),
    pickle.BINPUT: lambda reader: reader.memoize(reader.number(1)),
    pickle.LONG_BINPUT: lambda reader: reader.memoize(reader.number(4)),
    pickle.MEMOIZE: lambda reader: reader.memoize(len(reader.memo)),
    pickle.BINGET: lambda reader: reader.push(reader.memo[reader.number(1)]),
    pickle.LONG_BINGET: lambda reader: reader.push(reader.memo[reader.number(4)]),
    pickle.GLOBAL: lambda reader: reader.name(reader.line(), reader.line()),
    pickle.STACK_GLOBAL: lambda reader: reader.name(*reader.pop(2)),
    pickle.REDUCE: lambda reader: reader.reduce(),
    pickle.BUILD: lambda reader: reader.build(),
}


def _array(shape: Any, data: bytes) -> NDArray[np.uint8]:
    if not isinstance(shape, tuple) or not 0 < len(shape) <= MOST_DIMENSIONS:
        raise ValueError("not a shape")
    if not all(type(size) is int and size > 0 for size in shape) or prod(shape) != len(data):
        raise DataError(
            f"its array has {len(data)} bytes, which does not match its shape; truncated or "
            f"altered, {REFETCH}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shown(text: str | bytes) -> str:
    return ascii(as_text(text[:40]))[1:-1]


def load_dictionary(content: bytes) -> dict[str, Any]:
    """Return the pickled dictionary, with keys as text and other strings as they are stored.

    Its values are numbers, strings, None, lists of these, and arrays of uint8.

    Args:
        content: The whole file.

    Raises:
        DataError: The pickle uses an opcode or a global that no CIFAR file needs, is damaged, or
            does not hold a dictionary. The message does not contain the file's name.
    """
    try:
        value = _Reader(content).read()
    except DataError:
        raise
    # Damaged bytes: an early end, an empty stack, a missing memo entry.
    except Exception as error:
        raise DataError(
            f"not a readable pickle, truncated or altered ({type(error).__name__}); {REFETCH}"
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"its pickle must hold a dictionary. Received: {type(value).__name__}; {REFETCH}"
        )
    return {as_text(key): item for key, item in value.items()}


def as_text(value: str | bytes) -> str:
    """Return the text of a pickled string, which Python 2 stored as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

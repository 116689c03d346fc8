"""The files that both sides exchange: one `.npz` each way, in Keras' layouts and names.

Images and maps are (batch, height, width, channels), convolution kernels (height, width, in, out)
and dense kernels (in, out). MXNet and PyTorch have (batch, channels, height, width), (out, in,
height, width) and (out, in). This module needs only NumPy, of any version.
"""

import json
import sys
from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]
SETTINGS = "settings"


def channels_first(maps: np.ndarray) -> np.ndarray:
    """Transpose maps from (batch, height, width, channels) to (batch, channels, height, width)."""
    return np.ascontiguousarray(np.moveaxis(maps, -1, 1))


def channels_last(maps: np.ndarray) -> np.ndarray:
    """Transpose maps from (batch, channels, height, width) to (batch, height, width, channels)."""
    return np.ascontiguousarray(np.moveaxis(maps, 1, -1))


def filters_first(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel from Keras' layout to MXNet's and PyTorch's."""
    axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
    return np.ascontiguousarray(kernel.transpose(axes))


def filters_last(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel from MXNet's and PyTorch's layout to Keras'."""
    axes = (2, 3, 1, 0) if kernel.ndim == 4 else (1, 0)
    return np.ascontiguousarray(kernel.transpose(axes))


def under(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names begin with `prefix/`, named without it."""
    head = f"{prefix}/"
    return {name[len(head) :]: value for name, value in arrays.items() if name.startswith(head)}


def prefixed(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays with `prefix/` added to their names."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def answer(tasks: dict[str, Callable[..., Arrays]], version: str) -> None:
    """Run the task named on the command line, from its input file to its output file.

    The task is called with the arrays and, as keywords, the settings.
    """
    task, question, reply = sys.argv[1:]
    with np.load(question) as file:
        arrays = dict(file)
    settings = json.loads(str(arrays.pop(SETTINGS)))
    np.savez(reply, version=version, **tasks[task](arrays, **settings))

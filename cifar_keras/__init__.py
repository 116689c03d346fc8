"""Reproduce and verify published CIFAR-10 and CIFAR-100 results, in Keras 3.

The Python API is documented in `docs/python.md`. Importing this package is quick and changes
nothing: what needs Keras or pandas imports them when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifar_keras import layers, models
    from cifar_keras.api import build, load_data, train
    from cifar_keras.tables import recipes, runs
    from cifar_keras.trained_run import TrainedRun, load_run, pretrained

__version__ = "1.0.0"

__all__ = [
    "TrainedRun",
    "__version__",
    "build",
    "layers",
    "load_data",
    "load_run",
    "models",
    "pretrained",
    "recipes",
    "runs",
    "train",
]

_MODULES = {
    **dict.fromkeys(("build", "load_data", "train"), "api"),
    **dict.fromkeys(("recipes", "runs"), "tables"),
    **dict.fromkeys(("TrainedRun", "load_run", "pretrained"), "trained_run"),
}


def __getattr__(name: str) -> Any:
    if name in ("layers", "models"):
        return import_module(f"cifar_keras.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'cifar_keras' has no attribute '{name}'")
    globals()[name] = value = getattr(import_module(f"cifar_keras.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

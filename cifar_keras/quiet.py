"""Import TensorFlow with the settings that runs need, and without the lines it prints."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cifar_keras.errors import BackendError


def set_environment() -> None:
    """Set the variables that Keras and TensorFlow read at their first import, unless they are set.

    The variables of a library that is already imported have no effect and are not changed.

    Raises:
        BackendError: Keras uses, or is configured to use, another backend than TensorFlow.
    """
    if keras := sys.modules.get("keras"):
        backend = keras.config.backend()
    else:
        backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise BackendError(
            f"the Keras backend is '{backend}'; cifar_keras needs 'tensorflow'; set "
            "KERAS_BACKEND=tensorflow and start a new process"
        )
    if "tensorflow" not in sys.modules:
        # On processors without AVX-512 oneDNN is off by default, although it makes training almost
        # twice as fast. It changes rounding, so a run records whether it was on.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def import_tensorflow() -> None:
    """Import TensorFlow and find devices, without the lines it prints when there is no GPU.

    TensorFlow prints its first lines before it reads its log level. They are dropped only if there
    is no NVIDIA device, so that a driver that fails to load is still reported. They are also shown
    if the user has set TF_CPP_MIN_LOG_LEVEL to 0 or 1.

    Raises:
        BackendError: see `set_environment`.
    """
    set_environment()
    wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2") in ("0", "1")
    if wanted or any(Path("/dev").glob("nvidia*")):
        import tensorflow  # noqa: F401

        return
    with stderr_held_back():
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hide what is written to stderr in this context; after an exception, print it."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            # The hidden lines may explain the error.
            os.dup2(terminal, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)

"""TensorFlow imported with the settings that runs need, and without the lines it prints."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cifar_keras.errors import BackendError


def set_environment() -> None:
    """Set the variables that Keras and TensorFlow read at their first import, unless they are set.

    Once a library is imported its variables have no effect, and are left alone.

    Raises:
        BackendError: Keras has, or is told to have, another backend than TensorFlow.
    """
    if keras := sys.modules.get("keras"):
        backend = keras.config.backend()
    else:
        backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise BackendError(
            f"the Keras backend is '{backend}', and cifar_keras needs 'tensorflow'; set "
            "KERAS_BACKEND=tensorflow and start a new process"
        )
    if "tensorflow" not in sys.modules:
        # oneDNN is off by default on processors without AVX-512, where it makes training almost
        # twice as fast. It changes rounding, so a run records whether it was on.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def import_tensorflow() -> None:
    """Import TensorFlow and look for devices, without the lines it prints where there is no GPU.

    Its first lines come before its own log level is read. They are dropped only where there is no
    NVIDIA device, so that a driver that fails to load is still reported, and not where the user has
    set TF_CPP_MIN_LOG_LEVEL to 0 or 1.

    Raises:
        BackendError: as `set_environment`.
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
    """Keep what is written to stderr within to itself; where that fails, tell it after all."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            # What was held back may say why.
            os.dup2(terminal, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)

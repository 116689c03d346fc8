"""TensorFlow imported without the lines it prints on every machine that has no GPU."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def import_tensorflow() -> None:
    """Import TensorFlow and look for devices, holding back what it says where there is no GPU.

    Its first lines come before its own log level is read. They are held back only where there is no
    NVIDIA device, so a driver that fails to load is still told, and not at all where the user has
    set TF_CPP_MIN_LOG_LEVEL to 0 or 1.
    """
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

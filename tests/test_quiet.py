import os
import subprocess
import sys

import pytest

NOISY = """
import os
os.write(2, b"noise of the import\\n")

class config:
    def list_physical_devices():
        os.write(2, b"noise of the devices\\n")
"""
FAILING = """
import os
os.write(2, b"why it failed\\n")
raise ImportError("no kernel image")
"""
IMPORT = """
import pathlib, sys
from cifar_keras.quiet import import_tensorflow
pathlib.Path.glob = lambda self, pattern: [{devices}]
import_tensorflow()
print("tensorflow" in sys.modules)
print("after", file=sys.stderr)
"""


def imported(folder, tensorflow, level=None, devices=""):
    """What a process prints that imports this text as TensorFlow."""
    (folder / "tensorflow.py").write_text(tensorflow)
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(folder)
    if level:
        environment["TF_CPP_MIN_LOG_LEVEL"] = level
    command = [sys.executable, "-c", IMPORT.format(devices=devices)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("level", [None, "2", "3"])
def test_what_tensorflow_says_is_held_back_without_a_gpu(tmp_path, level):
    done = imported(tmp_path, NOISY, level)

    assert (done.stdout, done.stderr) == ("True\n", "after\n")


@pytest.mark.parametrize("level", ["0", "1"])
def test_it_is_shown_to_who_asks_for_the_log(tmp_path, level):
    done = imported(tmp_path, NOISY, level)

    assert (done.stdout, done.stderr) == ("True\n", "noise of the import\nafter\n")


def test_it_is_shown_where_there_is_a_gpu(tmp_path):
    done = imported(tmp_path, NOISY, devices="'/dev/nvidia0'")

    assert done.stderr == "noise of the import\nafter\n"


def test_it_is_shown_if_the_import_fails(tmp_path):
    done = imported(tmp_path, FAILING)

    assert done.returncode == 1
    assert done.stderr.startswith("why it failed\nTraceback ")
    assert done.stderr.endswith("ImportError: no kernel image\n")


@pytest.mark.slow
def test_tensorflow_itself_is_silent():
    code = "from cifar_keras.quiet import import_tensorflow; import_tensorflow()"
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment["CUDA_VISIBLE_DEVICES"] = ""

    done = subprocess.run(
        [sys.executable, "-c", "import pathlib; pathlib.Path.glob = lambda *_: []; " + code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("", "")

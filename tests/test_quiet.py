import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cifar_keras.errors import BackendError
from cifar_keras.quiet import set_environment

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
    """Return what a process prints that imports this code as TensorFlow."""
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


VARIABLES = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
SHOWN = f"""
import json, os
print(json.dumps([os.environ.get(name) for name in {VARIABLES}]))
"""


def variables_after(code, **given):
    """Return the environment variables at the end of a process that runs this code."""
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    command = [sys.executable, "-c", f"{code}\n{SHOWN}"]
    return json.loads(subprocess.check_output(command, env=environment | given))


SET = "from cifar_keras.quiet import set_environment; set_environment()"


def test_importing_the_package_sets_no_variable():
    assert variables_after("import cifar_keras, cifar_keras.cli") == [None, None, None]


def test_what_runs_need_is_set_unless_the_user_has_set_it():
    assert variables_after(SET) == ["tensorflow", "1", "2"]
    assert variables_after(SET, TF_ENABLE_ONEDNN_OPTS="0") == ["tensorflow", "0", "2"]


def test_what_tensorflow_has_read_already_is_left_alone():
    imported = "import sys; sys.modules['tensorflow'] = sys"

    assert variables_after(f"{imported}\n{SET}") == ["tensorflow", None, None]


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    with pytest.raises(BackendError, match=r"'jax'.* set KERAS_BACKEND=tensorflow "):
        set_environment()


def test_another_backend_that_keras_was_imported_with_is_refused(monkeypatch):
    # The backend in use counts, not the current value of the variable.
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras = SimpleNamespace(config=SimpleNamespace(backend=lambda: "torch"))
    monkeypatch.setitem(sys.modules, "keras", keras)

    with pytest.raises(BackendError, match=r"'torch'.* set KERAS_BACKEND=tensorflow "):
        set_environment()


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

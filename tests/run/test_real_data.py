import os
import subprocess
import sys

import pytest

from cifar_keras import records

pytestmark = pytest.mark.data
TEXT = {".json", ".csv"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ResNet-20 on CIFAR-10 for 141 steps, by the command line."""
    if not os.environ.get("CIFAR_KERAS_DATA"):
        pytest.skip("CIFAR_KERAS_DATA is not set")
    root = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "cifar_keras", "train", "--recipe", "resnet20"]
    done = subprocess.run(
        [*command, "--budget", "0.002", "--run-dir", str(root)],
        check=True,
        capture_output=True,
        text=True,
    )
    return root / done.stdout.strip().removeprefix(f"{root}/")


def test_141_steps_of_learning_show(folder):
    # Chance is 0.1; 0.4276 was measured for this length.
    assert records.read_result(folder).test_accuracy > 0.3


def test_the_run_says_that_its_data_are_official(folder):
    data = records.read_run(folder).provenance["data"]

    assert (data["official"], data["synthetic"]) == (True, False)


def test_no_path_of_the_machine_is_written(folder):
    written = "".join(path.read_text() for path in folder.iterdir() if path.suffix in TEXT)

    assert os.environ["CIFAR_KERAS_DATA"] not in written
    assert str(folder.parent) not in written


def test_the_run_fits_into_3_gib(folder):
    assert records.read_result(folder).peak_memory_mib < 3 * 1024


def test_evaluate_finds_the_accuracy_of_the_result(folder):
    done = subprocess.run(
        [sys.executable, "-m", "cifar_keras", "evaluate", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )

    stated = records.read_result(folder)
    assert (
        f"test accuracy {100 * stated.test_accuracy:.2f} % ({stated.test_correct:,} of 10,000)"
        in (done.stdout)
    )

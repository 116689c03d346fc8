import json
import logging
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cifar_keras import records
from cifar_keras.data.recorded import Inputs
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.errors import DeviceError
from cifar_keras.experiment.compiled import uses_jit
from cifar_keras.provenance import machine
from cifar_keras.run.folder import open_run, record
from cifar_keras.run.position import Position
from cifar_keras.run.train import Every, train


def strategy(device, replicas):
    """What a strategy over so many of these devices says of itself."""
    names = [f"/job:localhost/replica:0/task:0/device:{device}:{i}" for i in range(replicas)]
    extended = SimpleNamespace(worker_devices=tuple(names))
    return SimpleNamespace(num_replicas_in_sync=replicas, extended=extended)


@pytest.mark.parametrize(
    ("choice", "device", "replicas", "expected"),
    [
        ("auto", "GPU", 1, True),
        ("auto", "GPU", 2, False),
        ("auto", "CPU", 1, False),
        ("auto", "CPU", 2, False),
        ("on", "GPU", 1, True),
        ("on", "CPU", 1, True),
        ("off", "GPU", 1, False),
        ("off", "GPU", 2, False),
    ],
)
def test_auto_is_on_for_a_single_gpu_alone(choice, device, replicas, expected):
    assert uses_jit(choice, strategy(device, replicas)) is expected


@pytest.mark.parametrize("device", ["GPU", "CPU"])
def test_on_is_refused_on_several_replicas(device):
    with pytest.raises(DeviceError) as caught:
        uses_jit("on", strategy(device, 2))

    assert str(caught.value) == "--jit on: XLA fails on several replicas, here 2; use auto"


def test_a_worker_with_one_gpu_of_several_workers_is_no_single_gpu():
    one_of_two = strategy("GPU", 1)
    one_of_two.num_replicas_in_sync = 2

    assert not uses_jit("auto", one_of_two)


@pytest.fixture
def begun(job, dataset):
    """The job's folder, its run started with steps that are not compiled."""
    inputs = Inputs.of(dataset, job.recipe.data).record()
    open_run(job, dataset.provenance, ["CPU:0"], inputs)
    record(job.folder, "started", Position(), machine(["CPU:0"], jit=False))
    return job.folder


def test_a_run_says_whether_its_steps_are_compiled(begun):
    [started] = records.read_run(begun).events

    assert started.machine["jit"] is False


@pytest.mark.parametrize(("jit", "told"), [(True, ["jit False -> True"]), (False, [])])
def test_going_on_under_another_jit_is_told(begun, caplog, jit, told):
    with caplog.at_level(logging.WARNING, "cifar_keras"):
        record(begun, "resumed", Position(), machine(["CPU:0"], jit))

    found = [message.partition("(")[2].partition(")")[0] for message in caplog.messages]
    assert found == told


def test_going_on_with_a_run_that_does_not_say_is_not_told(begun, caplog):
    path = begun / records.RUN
    content = json.loads(path.read_text())
    del content["events"][0]["machine"]["jit"]
    path.write_text(json.dumps(content))

    with caplog.at_level(logging.WARNING, "cifar_keras"):
        record(begun, "resumed", Position(), machine(["CPU:0"], jit=True))

    assert caplog.messages == []


def test_on_several_devices_on_is_refused_before_anything_is_written(job, dataset):
    with pytest.raises(DeviceError, match="--jit on: XLA fails on several replicas, here 2"):
        train(replace(job, jit="on"), dataset, make_strategy("cpu:2"), Every())

    assert not job.folder.exists()


def test_on_is_refused_where_operations_were_made_deterministic(job, dataset):
    cpu = make_strategy("cpu")

    with (
        pytest.warns(UserWarning, match="Model doesn't support `jit_compile=True`"),
        pytest.raises(DeviceError) as caught,
    ):
        train(replace(job, jit="on"), dataset, cpu, Every())

    assert str(caught.value).startswith("--jit on: Keras does not compile deterministic operations")
    assert "start a new process, or use auto" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_on_a_cpu_a_compiled_run_is_trained_and_says_so(tmp_path, precision):
    command = [sys.executable, "-m", "cifar_keras", "train", "--recipe", "demo", "--jit", "on"]
    command += ["--budget", "0.02", "--devices", "cpu", "--precision", precision]
    command += ["--run-dir", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    [folder] = records.find_runs([tmp_path])
    run = records.read_run(folder)
    assert [event.machine["jit"] for event in run.events] == [True, True]
    assert run.recipe.precision == precision

"""Several workers, each a process of its own on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cifar_keras import records

NOISY = Path(__file__).with_name("noisy.py")
pytestmark = pytest.mark.slow


def addresses():
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)


class Pair:
    """Two workers that train one run; the second has no business with the run's folder."""

    def __init__(self, recipe, root, chief=(), other=(), environments=({}, {})):
        self.root, self.folder = root, root / "noisy" / "seed-5"
        common = [sys.executable, str(NOISY), "train", "--recipe", str(recipe)]
        self.workers = [
            subprocess.Popen(
                [*common, "--run-dir", str(place), "--checkpoint-every", "5steps", *more],
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
                env=os.environ | environment,
            )
            for place, more, environment in zip(
                (root, root / "of-the-other"), (chief, other), environments, strict=True
            )
        ]

    def wait_for(self, step):
        """Until a checkpoint of the first stage has come so far."""
        while not any(
            int(path.stem.rpartition("-")[2]) >= step
            for path in self.folder.glob(f"{records.CHECKPOINTS}/stage-1-step-*.ckpt")
        ):
            assert all(worker.poll() is None for worker in self.workers), self.ended()
            time.sleep(0.02)

    def ended(self):
        """Exit codes and stderr of both."""
        told = [worker.communicate(timeout=120)[1] for worker in self.workers]
        return [worker.returncode for worker in self.workers], told


def pair(recipe, root, seeds=(5, 5)):
    workers = addresses()
    more = [
        ["--seed", str(seed), "--workers", workers, "--worker-index", str(index)]
        for index, seed in enumerate(seeds)
    ]
    return Pair(recipe, root, *more)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, write_recipe):
    path = tmp_path_factory.mktemp("recipe") / "noisy.yaml"
    write_recipe(path, epochs=2)
    return path


@pytest.fixture(scope="module")
def unbroken(recipe, tmp_path_factory):
    both = pair(recipe, tmp_path_factory.mktemp("unbroken"))
    codes, told = both.ended()
    assert codes == [0, 0], told
    return both.folder


@pytest.mark.parametrize(("killed", "step"), [(0, 15), (1, 10)], ids=["chief", "other"])
def test_a_worker_killed_ends_the_others_and_all_resume(
    recipe, tmp_path, unbroken, same_bits, killed, step
):
    both = pair(recipe, tmp_path)
    both.wait_for(step)
    both.workers[killed].send_signal(signal.SIGKILL)
    codes, told = both.ended()
    assert codes[killed] == -signal.SIGKILL
    assert codes[1 - killed] == 1
    assert f"cifar-keras: error: worker {1 - killed} lost worker {killed}; " in told[1 - killed]

    again = pair(recipe, tmp_path)
    codes, told = again.ended()

    assert codes == [0, 0], told
    same_bits(again.folder, unbroken)
    assert "resumed" in [event.kind for event in records.read_run(again.folder).events]


def test_only_the_chief_writes(unbroken):
    assert sorted(path.name for path in unbroken.parent.parent.iterdir()) == ["noisy"]
    run = records.read_run(unbroken)
    assert run.provenance["devices"] == ["CPU:0", "CPU:0"]
    assert run.events[-1].machine["replicas"] == 2


def test_a_signal_to_one_worker_stops_all_at_one_step(recipe, tmp_path, unbroken, same_bits):
    both = pair(recipe, tmp_path)
    both.wait_for(10)
    both.workers[1].send_signal(signal.SIGTERM)
    codes, told = both.ended()
    assert codes == [128 + signal.SIGTERM] * 2
    steps = {text.partition("interrupted after step ")[2].partition(" ")[0] for text in told}
    assert len(steps) == 1
    assert all("; the state is saved; resume with: cifar-keras train" in text for text in told)

    again = pair(recipe, tmp_path)
    codes, told = again.ended()

    assert codes == [0, 0], told
    same_bits(again.folder, unbroken)


def test_workers_validate_together(recipe, tmp_path):
    held = tmp_path / "noisy.yaml"
    held.write_text(recipe.read_text().replace("data: {", "data: {validation: 100, "))

    both = pair(held, tmp_path / "runs")

    codes, told = both.ended()
    assert codes == [0, 0], told
    assert all(row.validation_accuracy is not None for row in records.read_history(both.folder))
    command = [sys.executable, str(NOISY), "verify", str(both.folder)]
    verified = subprocess.run(command, capture_output=True, text=True)
    assert "result.json validation.correct again" in verified.stdout
    assert verified.returncode == 0, verified.stdout


def test_tf_config_names_the_workers_too(recipe, tmp_path, unbroken, same_bits):
    chief, other = addresses().split(",")
    cluster = {"chief": [chief], "worker": [other]}
    environments = [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": 0}})}
        for kind in ("chief", "worker")
    ]
    seed = ["--seed", "5"]

    both = Pair(recipe, tmp_path, seed, seed, environments)

    codes, told = both.ended()
    assert codes == [0, 0], told
    same_bits(both.folder, unbroken)


def test_workers_that_train_something_else_are_told(recipe, tmp_path):
    codes, told = pair(recipe, tmp_path, seeds=(5, 6)).ended()

    assert codes == [1, 1]
    theirs = "cifar-keras: error: worker 1 does not train what the chief worker trains"
    assert f"{theirs}; " in told[0]
    assert f"{theirs}: seed is 6, not 5; " in told[1]
    assert not (tmp_path / "noisy").exists()


def test_a_refusal_of_the_chief_ends_all(recipe, tmp_path):
    folder = tmp_path / "noisy" / "seed-5"
    folder.parent.mkdir()
    folder.write_text("not a folder")

    codes, told = pair(recipe, tmp_path).ended()

    assert codes == [1, 1]
    assert "error: cannot write" in told[0]
    assert "error: the chief worker could not open the run folder; " in told[1]


def test_launch_ends_all_when_one_dies_and_goes_on(tmp_path):
    command = [sys.executable, "-m", "cifar_keras", "launch", "--local", "2", "train"]
    command += ["--recipe", "demo", "--budget", "0.1", "--checkpoint-every", "5steps"]
    folder = tmp_path / "runs" / "demo" / "seed-1-budget-0.1"
    launched = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (folder / records.CHECKPOINTS / "stage-1-step-000000005.ckpt").exists():
        assert launched.poll() is None
        time.sleep(0.05)
    listed = subprocess.run(
        ["pgrep", "-P", str(launched.pid), "-f", "worker-index 1"], capture_output=True, text=True
    )
    os.kill(int(listed.stdout), signal.SIGKILL)

    told = launched.communicate(timeout=120)[1]
    logs = Path("runs") / "worker-logs" / "demo" / "seed-1-budget-0.1"

    assert launched.returncode == 1
    assert told.endswith(
        "cifar-keras: error: worker 1 ended with SIGKILL, so all were stopped; see "
        f"'{logs}/worker-1.log'; resume with: cifar-keras {' '.join(command[3:])}\n"
    )
    assert "worker 0 lost worker 1" in (tmp_path / logs / "worker-0.log").read_text()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert again.stdout == "runs/demo/seed-1-budget-0.1\n"
    assert (folder / records.RESULT).exists()


def test_a_worker_that_waits_for_the_others_ends_at_once(recipe, tmp_path):
    command = [sys.executable, str(NOISY), "train", "--recipe", str(recipe), "--run-dir"]
    command += [str(tmp_path), "--workers", addresses(), "--worker-index", "0"]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert any("waiting for the others" in line for line in worker.stderr)
    # Python's own handler would do until TensorFlow waits.
    time.sleep(8)

    begin = time.monotonic()
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)

    assert time.monotonic() - begin < 2
    assert worker.returncode == -signal.SIGINT
    assert not (tmp_path / "noisy").exists()


def test_stock_keras_still_fails():
    """Once this fails, `MultiWorkerModel` has no purpose any more: delete it."""
    script, workers = Path(__file__).with_name("stock_keras.py"), addresses()

    pair_of_it = [
        subprocess.Popen(
            [sys.executable, str(script), workers, str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(2)
    ]

    told = [each.communicate(timeout=120)[0] for each in pair_of_it]
    assert all(each.startswith("ValueError") for each in told), (
        f"stock Keras trains under MultiWorkerMirroredStrategy (keras#20585 is mended): {told}"
    )

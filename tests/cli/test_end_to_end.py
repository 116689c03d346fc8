import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_keras import records


def start(*arguments):
    command = [sys.executable, "-m", "cifar_keras", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, code=0):
    """What the process prints until it ends, which must be with this code."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


def command_that_continues(err):
    [line] = [line for line in err.splitlines() if "resume with: " in line]
    return line.partition("resume with: cifar-keras ")[2].split()


def wait_for_step(process):
    """Read stderr until the first steps are timed."""
    for line in process.stderr:
        if "left, about" in line:
            return
    raise AssertionError("it has ended")


@pytest.fixture
def tiny(here):
    """A recipe of 8 steps of the demo's network."""
    (here / "tiny.yaml").write_text("base: demo\ntitle: tiny\n" + STAGE.format(epochs=0.1))
    return here / "tiny.yaml"


STAGE = """stages:
  - epochs: {epochs}
    schedule: {{kind: constant, learning_rate: 0.01}}
"""


@pytest.mark.slow
def test_train_evaluate_report_and_runs(tiny, here):
    out, err = finish(start("train", "--recipe", "tiny.yaml"))
    assert out == "runs/tiny/seed-1\n"
    assert "tiny seed 1 (synthetic data): epoch 0.1013 of 0.1013, " in err

    out, _ = finish(start("evaluate", "runs/tiny/seed-1"))
    accuracy = 100 * records.read_result(Path("runs/tiny/seed-1")).test_accuracy
    assert out.splitlines()[:2] == [
        "tiny seed 1 on synthetic10 (synthetic, not CIFAR)",
        f"test accuracy {accuracy:.2f} % ({10 * accuracy:.0f} of 1,000)",
    ]

    out, _ = finish(start("report"))
    assert "runs/report/comparison.md" in out.splitlines()
    assert "tiny" in (here / "runs/report/comparison.md").read_text()

    out, _ = finish(start("runs"))
    assert out.splitlines()[1].split("  ")[0] == "runs/tiny/seed-1"
    assert out.splitlines()[1].endswith("  done")

    out, err = finish(start("train", "--recipe", "tiny.yaml"))
    assert out == "runs/tiny/seed-1\n"
    assert "finished before: " in err


@pytest.mark.slow
def test_a_run_stopped_twice_is_finished_by_the_commands_it_names(tiny):
    process = start("train", "--recipe", "tiny.yaml", "--budget", "15")
    wait_for_step(process)
    running, _ = finish(start("runs"))
    assert running.splitlines()[1].endswith("  running")
    process.send_signal(signal.SIGTERM)
    _, err = finish(process, 143)

    process = start(*command_that_continues(err))
    wait_for_step(process)
    process.send_signal(signal.SIGINT)
    _, err = finish(process, 130)
    stopped, _ = finish(start("runs"))
    assert stopped.splitlines()[1].endswith("  interrupted")

    out, _ = finish(start(*command_that_continues(err)))
    assert out == "runs/tiny/seed-1-budget-15\n"
    run = records.read_run(Path(out.strip()))
    assert [event.kind for event in run.events] == [
        "started",
        "interrupted",
        "resumed",
        "interrupted",
        "resumed",
        "finished",
    ]


@pytest.mark.slow
def test_two_seeds_are_two_folders_and_stop_together(tiny):
    out, _ = finish(start("train", "--recipe", "tiny.yaml", "--seeds", "1,2"))
    assert out == "runs/tiny/seed-1\nruns/tiny/seed-2\n"

    process = start("train", "--recipe", "tiny.yaml", "--seeds", "3,4", "--budget", "100")
    wait_for_step(process)
    process.terminate()
    _, err = finish(process, 143)

    assert err.splitlines()[-1] == (
        "cifar-keras: stopped at tiny seed 3; resume with: "
        "cifar-keras train --recipe tiny.yaml --seeds 3,4 --budget 100"
    )
    [event] = records.read_run(Path("runs/tiny/seed-3-budget-100")).events[1:]
    assert event.kind == "interrupted"
    assert not Path("runs/tiny/seed-4-budget-100").exists()
    assert finish(start("runs"))[0].count("interrupted") == 1

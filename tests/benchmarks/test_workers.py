import sys
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks.rounds import alternate, calibrated
from benchmarks.workers import ROOT, Failed, Worker

# A step reports two seconds; `noisy` prints, `broken` raises, and `gone` ends the process.
FAKE = """
import os
from benchmarks.peers.service import serve

def noisy(steps):
    print("what frameworks print")
    return 2.0 * steps, steps

def broken(steps):
    raise ValueError(f"no {steps} steps in /some/where/else")

def make():
    return dict(train=noisy, broken=broken, gone=lambda steps: os.kill(os.getpid(), 9)), dict(a=1)

serve(make)
"""


def fake(log, script=FAKE):
    return Worker([sys.executable, "-c", script], {"PYTHONPATH": str(ROOT)}, log)


@pytest.fixture
def worker(tmp_path):
    made = fake(tmp_path / "log")
    yield made
    made.close()


def state(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_worker_reports_its_facts_and_makes_the_requested_steps(worker):
    assert worker.facts == {"a": 1}
    assert worker.go("train", 3) == (6.0, 3)
    assert worker.peak() > 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_a_worker_is_stopped_between_its_turns(worker):
    worker.go("train", 1)

    end = time.monotonic() + 10
    while state(worker.process) != "T" and time.monotonic() < end:
        time.sleep(0.01)
    assert state(worker.process) == "T"


def test_what_a_worker_prints_goes_to_its_log(worker, tmp_path):
    worker.go("train", 1)

    worker.close()
    assert "what frameworks print" in (tmp_path / "log").read_text()


def test_an_error_is_reported_without_its_folder(worker):
    with pytest.raises(Failed, match=r"^ValueError: no 2 steps in else$"):
        worker.go("broken", 2)


def test_a_killed_worker_is_reported(worker):
    with pytest.raises(Failed, match=r"killed.* memory runs out"):
        worker.go("gone", 1)


def test_a_worker_killed_between_its_turns_is_reported_and_closed(worker):
    worker.process.kill()
    worker.process.wait()

    with pytest.raises(Failed, match="it was killed"):
        worker.go("train", 1)

    worker.close()


def test_a_worker_that_cannot_start_is_reported(tmp_path):
    with pytest.raises(Failed, match="it ended with code 3"):
        fake(tmp_path / "log", "raise SystemExit(3)")


def test_repeats_alternate_and_go_on_after_a_contender_fails(tmp_path):
    starts = {"first": fake, "second": fake, "third": partial(fake, script="raise SystemExit(3)")}
    cases = {"first": ["train"], "second": ["train", "broken"], "third": ["train"]}

    taken = alternate(starts, cases, repeats=3, scratch=tmp_path)

    first = taken["first"].to_json()
    assert first["cases"] == {"train": [(2, 4.0)] * 3}
    assert first["a"] == 1
    assert first["peak_mib"] > 0
    assert taken["second"].to_json() == {"failed": "ValueError: no 1 steps in else"}
    assert taken["third"].to_json() == {"failed": "it ended with code 3"}


def test_a_repeat_is_about_four_seconds_of_training_and_less_of_anything_else():
    def go(steps):
        return 0.01 * steps, steps

    assert calibrated(go, "train@20") == 400
    assert calibrated(go, "pipeline") == 150


def test_the_cost_of_starting_does_not_shorten_a_repeat():
    assert calibrated(lambda steps: (1.0 + 0.01 * steps, steps), "train") > 150


def test_a_step_longer_than_a_repeat_is_made_once():
    assert calibrated(lambda steps: (30.0 * steps, steps), "train") == 1


def test_evaluation_does_not_go_past_the_test_images():
    assert calibrated(lambda steps: (1e-6 * steps, steps), "evaluate") == 20


def test_steps_made_in_groups_are_counted():
    # Eight steps at a time, each of a tenth of a second.
    assert calibrated(lambda steps: (0.8, 8), "evaluate") == 15

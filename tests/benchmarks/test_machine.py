import pytest

from benchmarks.machine import busy_percent, disturbance

BEFORE = "cpu  1000 0 500 8000 100 0 0 400 0 0\ncpu0 500 0 250 4000 50 0 0 200 0 0\n"


@pytest.mark.parametrize(
    ("after", "percent"),
    [
        ("cpu  1000 0 500 8180 120 0 0 400 0 0\n", 0),
        # 30 ticks of a user, 10 of the kernel and 20 that the hypervisor took, of 200.
        ("cpu  1030 0 510 8130 110 0 0 420 0 0\n", 30),
    ],
)
def test_time_that_was_neither_idle_nor_waited_for_a_disk_is_busy(after, percent):
    assert busy_percent(BEFORE, after) == pytest.approx(percent)


def test_a_file_that_stands_still_says_nothing():
    assert busy_percent(BEFORE, BEFORE) is None


def test_a_guests_time_counts_once():
    after = "cpu  1100 0 500 8000 100 0 0 400 100 0\n"

    assert busy_percent(BEFORE, after) == 100


@pytest.mark.parametrize("run", [{}, {"busy_before": None}, {"busy_before": 10.0}])
def test_an_idle_machine_and_one_that_was_not_watched_are_not_mentioned(run):
    assert disturbance(run) == ""


def test_a_busy_machine_is_mentioned():
    assert disturbance({"busy_before": 10.1}) == (
        "Not measured on an idle machine: its processors were 10 % busy before."
    )

import pytest

from benchmarks.machine import busy_percent, disturbance

BEFORE = "cpu  1000 0 500 8000 100 0 0 400 0 0\ncpu0 500 0 250 4000 50 0 0 200 0 0\n"


@pytest.mark.parametrize(
    ("after", "percent"),
    [
        ("cpu  1000 0 500 8180 120 0 0 400 0 0\n", 0),
        # 30 user, 10 system and 20 stolen ticks of 200.
        ("cpu  1030 0 510 8130 110 0 0 420 0 0\n", 30),
    ],
)
def test_time_that_is_neither_idle_nor_waiting_for_a_disk_is_busy(after, percent):
    assert busy_percent(BEFORE, after) == pytest.approx(percent)


def test_counters_that_do_not_change_give_no_percentage():
    assert busy_percent(BEFORE, BEFORE) is None


def test_the_time_of_a_guest_counts_once():
    after = "cpu  1100 0 500 8000 100 0 0 400 100 0\n"

    assert busy_percent(BEFORE, after) == 100


@pytest.mark.parametrize("run", [{}, {"busy_before": None}, {"busy_before": 10.0}])
def test_an_idle_or_unobserved_machine_gives_no_warning(run):
    assert disturbance(run) == ""


def test_a_busy_machine_gives_a_warning_with_its_percentage():
    assert "10 % busy" in disturbance({"busy_before": 10.1})

import pytest

from benchmarks import results as files
from benchmarks.figures import figure, quotient, short, shown
from benchmarks.results import merged, rates


def test_a_part_is_replaced_as_a_whole_and_the_others_stay():
    old = {"training": {"resnet20": {"a": 1, "b": 2}, "resnet110": {"a": 3}}, "growth": {"x": 1}}
    new = {"training": {"resnet20": {"a": 9}}, "start_up": {"y": 2}}

    assert merged(old, new) == {
        "training": {"resnet20": {"a": 9}, "resnet110": {"a": 3}},
        "growth": {"x": 1},
        "start_up": {"y": 2},
    }


def test_results_are_read_as_they_were_written(tmp_path, results):
    path = tmp_path / "benchmarks.json"
    assert files.read(path) == {}

    files.write(path, results)

    assert files.read(path) == results


def test_rates_are_images_per_second_of_each_repeat(results):
    part = results["training"]["resnet20"]

    assert rates(part, "ours", "train", 128) == [640, 1280, 320]
    assert rates(part, "torch", "train", 128) == []
    assert rates(part, "mxnet", "train", 128) == []


def test_a_figure_is_a_median_with_its_range():
    assert str(figure([3.0, 1.0, 8.0])) == "3.00 (1.00 to 8.00)"
    assert str(figure([3.0])) == "3.00"
    assert shown(figure([])) == "—"


def test_a_quotient_is_taken_in_each_round():
    # 2 / 1, 6 / 2, 4 / 4: not 4 / 2.
    assert quotient([2, 6, 4], [1, 2, 4]).median == 2
    assert quotient([2, 6, 5], [1, 2, 4]).high == 3
    assert quotient([], [1.0]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (1.5, "1.50"),
        (140.2, "140"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (89540, "89,500"),
    ],
)
def test_numbers_have_three_digits_and_no_power_of_ten(value, text):
    assert short(value) == text

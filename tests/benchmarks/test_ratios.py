import pytest

from benchmarks.figures import Figure
from benchmarks.ratios import Goal, fastest, goals, limit, share


def goal(results, text):
    (found,) = [each for each in goals(results) if each.text == text]
    return found


def test_every_goal_stands_even_where_nothing_was_measured():
    nothing = goals({})

    assert len(nothing) == len(goals({"training": {}})) == 21
    assert all(each.met is None for each in nothing)


def test_a_ratio_is_the_median_of_the_rounds(results):
    found = goal(results, "`resnet20`: ours / stock Keras as installed")

    # 4 / 2, 3 / 1, 4 / 4.
    assert (found.found.median, found.bound, found.met) == (2.0, 1.8, True)


def test_a_rival_that_failed_leaves_the_goal_open(results):
    assert goal(results, "`resnet20`: ours / PyTorch channels-last").met is None


def test_the_limit_is_that_of_matrix_products_of_2048(results):
    # 1000 products of 2 * 2048 ** 3 operations in 8.589934592 s.
    assert limit(results, "resnet20") == pytest.approx(2e12)
    assert limit(results, "resnet110") is None


def test_a_share_is_of_six_operations_a_multiply_add(results):
    # 640 images of 40,813,184 multiply-adds.
    assert share(results, "resnet20", "ours", 32).median == pytest.approx(7.8361, rel=1e-4)


def test_the_pipeline_is_held_against_the_fastest_family(results):
    assert fastest(results).median == 640
    # 500 batches of 128 a second.
    found = goal(results, "input pipeline alone / training rate of the fastest family")
    assert (found.found.median, found.met) == (100, True)


def test_seconds_are_to_be_below_their_bound(results):
    assert goal(results, "`cifar-keras --help`").met is True
    assert goal(results, "`cifar-keras report (30 runs)`").met is False


@pytest.mark.parametrize(("percent", "met"), [(79.0, False), (80.0, True)])
def test_a_share_of_the_limit_can_stand_for_a_ratio(percent, met):
    ratio, instead = (Figure(value, value, value, 7) for value in (1.1, percent))

    assert Goal("", ratio, 1.3, or_share=True, instead=instead).met is met

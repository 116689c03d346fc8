import pytest

from benchmarks.figures import Figure
from benchmarks.ratios import Goal, fastest, goals, limit, product, share

BETTER = "ours bfloat16 / PyTorch bfloat16, the better of eager and compiled"


def goal(results, text):
    (found,) = [each for each in goals(results) if each.text == text]
    return found


def test_every_goal_is_listed_even_without_measurements():
    nothing = goals({})

    assert len(nothing) == len(goals({"training": {}})) == 43
    assert all(each.met is None for each in nothing)


def test_a_ratio_is_the_median_of_the_rounds(results):
    found = goal(results, "`resnet20`: ours / stock Keras as installed")

    # 4 / 2, 3 / 1, 4 / 4.
    assert (found.found.median, found.bound, found.met) == (2.0, 1.8, True)


def test_a_rival_that_failed_leaves_the_goal_open(results):
    assert goal(results, "`resnet20`: ours / PyTorch channels-last").met is None


def test_the_rival_with_the_best_median_counts(mixed):
    found = goal(mixed, f"`resnet20`: {BETTER}")

    # Ours 1280, 2560, 640; eager 1280, 640, 320; compiled 320, 320, 1280.
    assert (found.found.median, found.found.low, found.found.high) == (2, 1, 4)
    assert (found.bound, found.met) == (1.2, True)


def test_one_failed_rival_of_several_leaves_the_goal_open(mixed):
    contenders = mixed["training"]["resnet20"]["contenders"]
    contenders["torch-bf16-compiled"] = {"failed": "it was killed"}

    assert goal(mixed, f"`resnet20`: {BETTER}").met is None


def test_a_race_at_the_largest_size_has_no_goals_at_other_sizes():
    texts = [each.text for each in goals({}) if each.text.endswith(BETTER) and "100`" in each.text]

    assert texts == [f"`speedrun100` at 32 px: {BETTER}"]


def test_bfloat16_is_compared_with_float32(mixed):
    found = goal(mixed, "`resnet20`: ours bfloat16 / ours float32")
    memory = goal(mixed, "`resnet20`: our peak memory, bfloat16 / float32")

    assert (found.found.median, found.bound, found.met) == (2, 1.9, True)
    assert (memory.found.median, memory.bound, memory.met) == (0.5, 0.75, True)


@pytest.mark.parametrize(
    ("sign", "met"),
    [("≥", [False, True, True]), ("≤", [True, True, False]), ("<", [True, False, False])],
)
def test_the_sign_gives_the_side_of_the_bound_where_a_goal_is_met(sign, met):
    figures = [Figure(value, value, value, 7) for value in (0.74, 0.75, 0.76)]

    assert [Goal("", each, 0.75, sign).met for each in figures] == met


def test_the_limit_is_that_of_matrix_products_of_2048(results):
    # 1000 products of 2 * 2048 ** 3 operations in 8.589934592 s.
    assert limit(results, "resnet20") == pytest.approx(2e12)
    assert limit(results, "resnet110") is None


def test_a_limit_is_the_fastest_side_in_its_precision(mixed):
    assert limit(mixed, "resnet20") == pytest.approx(2e12)
    assert limit(mixed, "resnet20", "bfloat16") == pytest.approx(8e12)
    assert product(mixed, "resnet20", "gemm-torch-bf16")[0] == 4096


def test_a_share_is_of_the_limit_in_the_same_precision(mixed):
    # Twice as fast as in float32, with a limit four times as high.
    assert share(mixed, "resnet20", "ours-bf16", 32).median == pytest.approx(3.9181, rel=1e-4)


def test_a_share_counts_six_operations_per_multiply_add(results):
    # 640 images of 40,813,184 multiply-adds.
    assert share(results, "resnet20", "ours", 32).median == pytest.approx(7.8361, rel=1e-4)


def test_the_pipeline_is_compared_with_the_fastest_family(results):
    assert fastest(results).median == 640
    # 500 batches of 128 per second.
    found = goal(results, "input pipeline only / training speed of the fastest family")
    assert (found.found.median, found.met) == (100, True)


def test_seconds_must_be_below_their_bound(results):
    assert goal(results, "`cifar-keras --help`").met is True
    assert goal(results, "`cifar-keras report (30 runs)`").met is False


@pytest.mark.parametrize(("percent", "met"), [(79.0, False), (80.0, True)])
def test_a_share_of_the_limit_can_replace_a_ratio(percent, met):
    ratio, instead = (Figure(value, value, value, 7) for value in (1.1, percent))

    assert Goal("", ratio, 1.3, or_share=True, instead=instead).met is met

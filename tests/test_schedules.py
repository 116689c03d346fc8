from fractions import Fraction

import pytest

from cifar_keras import schedules
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.recipe.schema import Constant, Linear, Steps


def data(last_batch):
    override = [f"data.last_batch={last_batch}"]
    return load_recipe(recipe_path("resnet20"), override).data


@pytest.mark.parametrize(("last_batch", "expected"), [("keep", 391), ("drop", 390), ("carry", 391)])
def test_steps_per_epoch_of_cifar(last_batch, expected):
    assert schedules.steps_per_epoch(data(last_batch), 50_000) == expected


@pytest.mark.parametrize(
    ("epoch", "per_epoch", "budget", "expected"),
    [
        (9.9, 48, "1", 476),  # airbench94.py: 475.2 steps round up
        (8.75, 48, "1", 420),
        (11.5, 48, "1", 552),
        (135, 391, "0.1", 5279),  # 5,278.5
        (180, 391, "0.1", 7038),  # exact, because 0.1 is decimal text and not a float
        (Fraction(1, 3), 300, "1", 100),
    ],
)
def test_steps_before_an_epoch(epoch, per_epoch, budget, expected):
    assert schedules.Pace(per_epoch, budget).step_of(epoch) == expected


def test_steps_change_at_their_boundary_and_not_before():
    rate = schedules.steps([0.1, 0.01, 0.001], [100, 200])

    assert [rate(step) for step in (0, 99, 100, 199, 200, 10**6)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        0.001,
        0.001,
    ]


def test_linear_meets_its_knots_and_is_straight_between():
    # airbench94.py: from 0.2 to 1.0 over 23 % of the steps, then to 0.07.
    rate = schedules.linear(2.0, [[0, 0.2], [0.23, 1.0], [1, 0.07]], 1000)

    assert rate(0) == pytest.approx(0.4)
    assert rate(115) == pytest.approx(1.2)
    assert rate(230) == pytest.approx(2.0)
    assert rate(615) == pytest.approx(1.07)
    assert rate(1000) == pytest.approx(0.14)


def test_constant_is_constant():
    schedule = Constant(kind="constant", learning_rate=0.05)

    rate = schedules.build(schedule, 39, schedules.Pace(781))

    assert (rate(0), rate(10**6)) == (0.05, 0.05)


def test_a_rate_changes_where_an_epoch_begins():
    schedule = Steps(kind="steps", learning_rates=[0.1, 0.01, 0.001], boundaries=[90, 135])

    rate = schedules.build(schedule, 180, schedules.Pace(391))

    assert [rate(e * 391) for e in (89, 90, 134, 135)] == [0.1, 0.01, 0.01, 0.001]
    assert rate(90 * 391 - 1) == 0.1


def test_a_budget_scales_boundaries_to_steps_inside_epochs():
    schedule = Steps(kind="steps", learning_rates=[0.1, 0.01, 0.001], boundaries=[90, 135])

    rate = schedules.build(schedule, 180, schedules.Pace(391, "0.1"))

    assert [rate(s) for s in (3518, 3519, 5278, 5279)] == [0.1, 0.01, 0.01, 0.001]


def test_a_linear_schedule_ends_with_its_stage_under_a_budget():
    schedule = Linear(kind="linear", learning_rate=1.0, knots=[[0, 0], [0.5, 1], [1, 0]])

    rate = schedules.build(schedule, 10, schedules.Pace(48, "0.5"))

    assert (rate(120), rate(240)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("every", "tested"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5]), (0, [5])]
)
def test_the_last_epoch_is_always_tested(every, tested):
    assert [n for n in range(1, 6) if schedules.is_tested(n, 5, every)] == tested

import pytest

from cifar_keras.errors import RunError
from cifar_keras.experiment.stages import Place, Plan
from cifar_keras.recipe import load_recipe, recipe_path

SIZES = "data.sizes=[[0.15, 20], [0.5, 24], [1, 32]]"


def plan(*overrides, images=1280, budget="1"):
    """Return a plan of 10 epochs with 10 steps each."""
    one = "stages.0.schedule={kind: constant, learning_rate: 0.1}"
    overrides = ["stages.0.epochs=10", one, "data.batch_size=128", *overrides]
    return Plan(load_recipe(recipe_path("resnet20"), overrides), images, budget)


# Both sides of each boundary: 15 and 50 of 100 steps.
@pytest.mark.parametrize(
    ("step", "side"), [(0, 20), (14, 20), (15, 24), (49, 24), (50, 32), (99, 32)]
)
def test_images_grow_at_shares_of_the_stages_steps(step, side):
    [stage] = plan(SIZES).stages

    assert stage.size(step) == side


def test_a_scaled_run_grows_at_the_same_shares():
    [stage] = plan(SIZES, budget="0.2").stages

    assert [stage.size(step) for step in (2, 3, 9, 10)] == [20, 24, 24, 32]


def test_a_stage_without_sizes_has_none():
    [stage] = plan().stages

    assert stage.size(0) is None


def test_work_counts_steps_where_all_cost_the_same():
    assert [plan().work(step) for step in range(101)] == list(range(101))


def test_work_counts_smaller_images_for_less():
    work = plan(SIZES).work

    # (20 / 32)^1.5 = 0.494 and (24 / 32)^1.5 = 0.650 of a step.
    assert work(15) == pytest.approx(15 * 0.494, rel=1e-3)
    assert work(50) - work(15) == pytest.approx(35 * 0.6495, rel=1e-3)
    assert work(100) - work(50) == pytest.approx(50)


def test_work_is_that_of_all_stages():
    second = (
        "{epochs: 5, start: {stage: 1, epoch: 1}, frozen: [],"
        " schedule: {kind: constant, learning_rate: 0.1}}"
    )
    first = second.replace("{stage: 1, epoch: 1}", "scratch")
    both = plan(f"stages=[{first}, {second}]", SIZES)

    assert (both.steps, both.epochs, both.stages[1].steps_before) == (100, 10, 50)
    assert both.work(100) == pytest.approx(2 * both.work(50))
    assert both.work(99) == pytest.approx(both.work(100) - 1)


def test_a_run_of_ever_so_many_epochs_is_planned_at_once():
    long = plan("stages.0.epochs=100000")

    assert long.work(long.steps) == long.steps == 10**6
    [leg] = long.legs(Place())
    assert (leg.first_epoch, leg.last_epoch) == (0, 10**5)


def test_the_frozen_layers_are_the_stages():
    [stage] = plan("stages.0.frozen=['companion*']").stages

    assert stage.frozen == ("companion*",)


def legs(place, **more):
    return [
        (leg.first_step, leg.steps_per_epoch, leg.first_epoch, leg.last_epoch)
        for leg in plan(**more).legs(place)
    ]


def test_a_whole_stage_is_one_leg():
    assert legs(Place()) == [(0, 10, 0, 10)]


def test_what_is_left_of_an_epoch_and_a_fraction_are_legs_of_their_own():
    assert legs(Place(step=13), budget="0.45") == [
        (13, 7, 1, 2),
        (20, 10, 2, 4),
        (40, 5, 4, 5),
    ]


def test_a_finished_stage_has_no_leg():
    assert legs(Place(step=100)) == []


def test_a_budget_that_leaves_a_stage_no_step_is_refused():
    # A budget above 0 gives at least one step.
    with pytest.raises(RunError, match="--budget 0 leaves stage 1 without a step"):
        plan(budget="0")


def test_fewer_images_than_a_batch_are_refused_where_the_rest_is_dropped():
    with pytest.raises(RunError, match="the training set is smaller than one batch"):
        plan("data.last_batch=drop", images=127)

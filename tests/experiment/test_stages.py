import pytest

from cifar_keras.experiment.stages import plan, work
from cifar_keras.recipe import load_recipe, recipe_path

SIZES = "data.sizes=[[0.15, 20], [0.5, 24], [1, 32]]"


def stages(*overrides, per_epoch=10, budget="1"):
    one = "stages.0.schedule={kind: constant, learning_rate: 0.1}"
    overrides = ["stages.0.epochs=10", one, *overrides]
    return plan(load_recipe(recipe_path("resnet20"), overrides), per_epoch, budget)


# Both sides of each boundary: 15 and 50 of 100 steps.
@pytest.mark.parametrize(
    ("step", "side"), [(0, 20), (14, 20), (15, 24), (49, 24), (50, 32), (99, 32)]
)
def test_images_grow_at_shares_of_the_stages_steps(step, side):
    [stage] = stages(SIZES)

    assert stage.size(step) == side


def test_a_scaled_run_grows_at_the_same_shares():
    [stage] = stages(SIZES, budget="0.2")

    assert [stage.size(step) for step in (2, 3, 9, 10)] == [20, 24, 24, 32]


def test_a_stage_without_sizes_has_none():
    assert stages()[0].size is None


def test_work_counts_steps_where_all_cost_the_same():
    assert work(stages()) == [float(step) for step in range(101)]


def test_work_counts_smaller_images_for_less():
    done = work(stages(SIZES))

    # (20 / 32)^1.5 = 0.494 and (24 / 32)^1.5 = 0.650 of a step.
    assert done[15] == pytest.approx(15 * 0.494, rel=1e-3)
    assert done[50] - done[15] == pytest.approx(35 * 0.6495, rel=1e-3)
    assert done[100] - done[50] == pytest.approx(50)


def test_the_frozen_layers_are_the_stages():
    [stage] = stages("stages.0.frozen=['companion*']")

    assert stage.frozen == ("companion*",)

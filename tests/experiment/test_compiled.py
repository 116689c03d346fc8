import pytest
import tensorflow as tf

from cifar_keras.errors import RecipeError
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.experiment.optimizers import make_optimizer
from cifar_keras.optimizers import CoupledSGD, MuonSGD, VariableGroup
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.schedules import Pace

GROUP = "{variables: '*/gamma', rate: 2, weight_decay: 0.1, schedule: %s}"


def recipe(*overrides, groups="[]"):
    return load_recipe(
        recipe_path("resnet20"), ["model.depth=8", f"optimizer.groups={groups}", *overrides]
    )


def group(schedule, budget="1"):
    optimizer = make_optimizer(recipe(groups=f"[{GROUP % schedule}]"), Pace(100, budget))
    assert isinstance(optimizer, CoupledSGD)
    [found] = optimizer.groups
    return found


@pytest.mark.parametrize(
    ("schedule", "more"),
    [
        ("follow", {}),
        ("{kind: until, epochs: 3}", {"steps": 300}),
        ("{kind: linear, epochs: 2.5}", {"steps": 250, "linear": True}),
        ("{kind: inverse, gamma: 0.001, power: 0.75}", {"gamma": 0.001, "power": 0.75}),
    ],
)
def test_a_group_of_the_recipe_becomes_one_of_the_optimizer(schedule, more):
    assert group(schedule) == VariableGroup("*/gamma", rate=2, weight_decay=0.1, **more)


def test_a_groups_epochs_are_scaled_by_the_budget():
    assert group("{kind: until, epochs: 3}", budget="0.1").steps == 30


def test_muon_stands_beside_its_others():
    optimizer = make_optimizer(load_recipe(recipe_path("speedrun100")), Pace(48))

    assert isinstance(optimizer, MuonSGD)
    # optim.py of NAVIER-STOKED.
    assert (optimizer.muon.rate, optimizer.muon_momentum, optimizer.newton_schulz_steps) == (
        0.18,
        0.6,
        3,
    )
    assert (optimizer.momentum, optimizer.nesterov, optimizer.form) == (0.9, True, "torch")


def build(*overrides, **more):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    return compiled_model(recipe(*overrides, **more), 1, strategy, Pace(391))


def test_a_group_that_matches_nothing_is_told_before_the_first_step():
    pattern = GROUP.replace("gamma", "gama") % "follow"

    with pytest.raises(RecipeError, match=r"^model 'resnet_neon': `variables` of each group must"):
        build(groups=f"[{pattern}]")


def test_a_frozen_layer_that_is_not_there_is_told_before_the_first_step():
    with pytest.raises(RecipeError, match=r"`frozen` must match a layer. Received: frozen='head'$"):
        build("stages.0.frozen=[head]")


def test_the_seed_decides_the_initial_weights():
    one, again = (build().get_weights() for _ in range(2))

    assert all((a == b).all() for a, b in zip(one, again, strict=True))

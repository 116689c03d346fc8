import numpy as np
import pytest

from benchmarks.peers.ours import Ours
from cifar_keras.data import load
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.mark.slow
def test_ours_takes_the_steps_of_a_run():
    changes = ["lookahead={every: 2, decay: 0.9, power: 2}"]
    recipe = load_recipe(recipe_path("demo"), changes)
    ours = Ours(recipe, load(recipe.dataset, None))
    before = [variable.numpy() for variable in ours.experiment.model.trainable_variables]

    seconds, steps = ours.training(recipe.data.crop)(3)

    assert seconds > 0
    assert steps == 3
    after = [variable.numpy() for variable in ours.experiment.model.trainable_variables]
    assert all(np.isfinite(array).all() for array in after)
    assert not all(np.array_equal(*both) for both in zip(before, after, strict=True))
    ours.evaluate(1)
    ours.batches_alone(2)
    seconds, count = ours.checkpoints(2)
    assert seconds > 0
    assert count == 2

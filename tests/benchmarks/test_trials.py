import json

import pytest

from benchmarks import trials
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.mark.slow
def test_a_recipe_takes_few_steps_if_many_would_take_too_long():
    found = trials.trial(load_recipe(recipe_path("demo")), None, patience=0)

    assert found["steps"] == trials.FEW
    assert found["last_quarter_loss"] < found["first_quarter_loss"]
    assert found["images_per_second"] == pytest.approx(
        found["batch_size"] / found["seconds_per_step"]
    )
    assert found["seconds_per_run"] > found["seconds_per_epoch"] * found["epochs"]
    assert json.loads(json.dumps(found)) == found

"""What a recipe means that leaves a key out, be it a file or the record of an earlier version."""

import json

import pytest

from cifar_keras.recipe import Recipe, load_recipe, recipe_path

# Section by section, as plain text: a default that changes would change recipes.
NOTHING = {
    "initial_weights": "none",
    "batch_norm": "synchronized",
    "precision": "float32",
    "label_smoothing": 0,
    "lookahead": "none",
    "reference": None,
}
NO_DATA = {
    "last_batch": "keep",
    "validation": 0,
    "scale": 1,
    "contrast": "none",
    "mean": "none",
    "std": "none",
    "padding": "none",
    "pad": 0,
    "crop": 32,
    "flip": "none",
    "cutout": 0,
    "sizes": [],
    "keras_cv": [],
}
PLAIN_SGD = {
    "form": "classic",
    "momentum": 0,
    "nesterov": False,
    "weight_decay": 0,
    "decayed": "all",
    "loss_factor": 1,
    "groups": [],
}
SHORTEST = {
    "title": "The shortest",
    "system": "mine",
    "dataset": "synthetic10",
    "model": {"name": "resnet_neon"},
    "parameters": 1,
    "data": {"batch_size": 64},
    "optimizer": {"name": "sgd"},
    "stages": [{"epochs": 1, "schedule": {"kind": "constant", "learning_rate": 0.1}}],
}


def test_what_is_left_out_does_nothing():
    whole = SHORTEST | NOTHING
    whole["data"] = whole["data"] | NO_DATA
    whole["optimizer"] = whole["optimizer"] | PLAIN_SGD
    whole["stages"] = [stage | {"start": "scratch", "frozen": []} for stage in whole["stages"]]

    assert Recipe.model_validate(SHORTEST).model_dump() == whole


def test_a_group_that_says_nothing_follows_the_schedule_without_decay():
    tree = SHORTEST | {"optimizer": {"name": "sgd", "groups": [{"variables": "*"}]}}

    (group,) = Recipe.model_validate(tree).model_dump()["optimizer"]["groups"]

    assert group == {"variables": "*", "rate": 1, "weight_decay": 0, "schedule": "follow"}


def test_a_recipe_that_an_earlier_version_recorded_is_read_as_what_it_meant():
    tree = json.loads(load_recipe(recipe_path("resnet20")).model_dump_json())
    del tree["stages"][0]["start"], tree["reference"]["verified"], tree["precision"]
    del tree["reference"]["curve"]["stage"]

    recipe = Recipe.model_validate(tree)

    assert recipe == load_recipe(recipe_path("resnet20"))


@pytest.mark.parametrize("name", ["resnet20", "inception_rrelu", "airbench94_muon"])
def test_the_recorded_recipe_is_resolved(name):
    recipe = load_recipe(recipe_path(name))
    tree = json.loads(recipe.model_dump_json())

    assert Recipe.model_validate(tree) == recipe
    assert set(NO_DATA) < set(tree["data"])
    assert set(NOTHING) < set(tree)

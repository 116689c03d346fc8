import json

import pytest

from cifar_keras.recipe import Recipe, load_recipe, recipe_path, upgrade


def recorded(name):
    """The recipe as a run folder keeps it."""
    return json.loads(load_recipe(recipe_path(name)).model_dump_json())


@pytest.mark.parametrize("name", ["resnet20", "inception_rrelu", "demo"])
def test_a_recipe_of_today_is_left_as_it_is(name):
    assert upgrade(recorded(name)) == recorded(name)


def test_a_recipe_without_the_later_keys_is_read_as_what_it_meant():
    tree = recorded("resnet20")
    del tree["stages"][0]["start"], tree["reference"]["verified"], tree["precision"]
    del tree["reference"]["curve"]["stage"]

    recipe = Recipe.model_validate(upgrade(tree))

    assert recipe == load_recipe(recipe_path("resnet20"))


@pytest.mark.parametrize("tree", [None, [], {"stages": 3}])
def test_what_is_no_recipe_is_left_for_the_schema_to_refuse(tree):
    assert upgrade(tree) == tree

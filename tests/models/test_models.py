import inspect
import re

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.initializers import INITIALIZERS
from cifar_keras.models import MODELS, build_model, trainable_parameters
from cifar_keras.recipe import load_recipe, recipe_names, recipe_path

ARGUMENTS = {
    "depth": 8,
    "kernel_initializer": "kaiming_normal",
    "bn_momentum": 0.9,
    "bn_epsilon": 1e-3,
    "final_batch_norm": True,
}


def refusal(name="resnet_neon", **changes):
    arguments = {key: value for key, value in (ARGUMENTS | changes).items() if value != "left out"}
    with pytest.raises(RecipeError) as caught:
        build_model(name, (8, 8, 3), 10, arguments)
    return str(caught.value)


# A recipe whose network has been built under another name is slow to build, and tells little more.
BUILT = {str(load_recipe(recipe_path(name)).model): name for name in reversed(recipe_names())}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in BUILT.values()))
        for name in recipe_names()
    ],
)
def test_every_recipe_builds_with_the_parameters_that_it_states(name, shipped):
    recipe = load_recipe(recipe_path(name))

    model = shipped(name)

    assert trainable_parameters(model) == recipe.parameters
    # One recipe keeps ImageNet's head.
    outputs = recipe.model.arguments.get("head_classes") or recipe.num_classes
    assert model.output_shape == (None, outputs)


@pytest.mark.parametrize("name", MODELS)
def test_a_factorys_defaults_are_the_arguments_of_the_recipe_that_it_names(name):
    named = re.search(r"Defaults are the arguments of recipe `(\w+)`", MODELS[name].__doc__)[1]
    model = load_recipe(recipe_path(named)).model

    parameters = list(inspect.signature(MODELS[name]).parameters.values())[2:]

    assert (model.name, {each.name: each.default for each in parameters}) == (name, model.arguments)


def test_factories_bear_their_own_names():
    assert [factory.__name__ for factory in MODELS.values()] == list(MODELS)


def test_arguments_reach_the_factory():
    model = build_model("resnet_neon", (8, 8, 3), 7, ARGUMENTS | {"final_batch_norm": False})

    assert (model.name, model.output_shape) == ("resnet8_neon", (None, 7))
    assert model.layers[-1].name == "logits"


def test_an_unknown_model_names_the_nearest():
    assert refusal("resnet_nein") == "unknown model 'resnet_nein'; did you mean 'resnet_neon'?"


def test_an_unknown_model_that_is_near_to_none_lists_all(monkeypatch):
    for name in set(MODELS) - {"resnet_he", "resnet_neon"}:
        monkeypatch.delitem(MODELS, name)

    assert refusal("vgg") == "unknown model 'vgg'; there are: resnet_he, resnet_neon"


def test_an_unknown_argument_names_the_nearest():
    assert refusal(bn_eps=1e-3) == (
        "model 'resnet_neon' has no argument 'bn_eps'; did you mean 'bn_epsilon'?"
    )


def test_an_unknown_argument_that_is_near_to_none_lists_all():
    assert refusal("resnet_he", zzz=1, final_batch_norm="left out") == (
        "model 'resnet_he' has no argument 'zzz'; "
        "it takes: depth, kernel_initializer, bn_momentum, bn_epsilon"
    )


def test_arguments_that_are_missing_are_all_named():
    assert refusal(depth="left out", bn_momentum="left out") == (
        "model 'resnet_neon' lacks depth, bn_momentum; add to 'model'"
    )


def test_the_shape_of_the_data_is_no_argument_of_a_recipe():
    assert refusal(num_classes=10).startswith("model 'resnet_neon' has no argument 'num_classes'; ")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depth": "20"}, "depth='20': Input should be a valid integer"),
        ({"depth": 20.0}, "depth=20.0: Input should be a valid integer"),
        ({"bn_momentum": "0.9"}, "bn_momentum='0.9': Input should be a valid number"),
        # Python takes any non-empty text as true.
        ({"final_batch_norm": "none"}, "final_batch_norm='none': Input should be a valid boolean"),
        ({"kernel_initializer": None}, "kernel_initializer=None: Input should be a valid string"),
    ],
)
def test_an_argument_of_another_type_is_refused(changes, reason):
    assert refusal(**changes) == f"model 'resnet_neon': {reason}"


def test_a_whole_number_is_taken_where_any_number_is():
    assert build_model("resnet_neon", (8, 8, 3), 10, ARGUMENTS | {"bn_momentum": 0})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"depth": 21}, "`depth` must be 6n + 2, as 20, 32, 56, 110. Received: depth=21"),
        (
            {"kernel_initializer": "glorot"},
            f"`initializer` must be one of {', '.join(sorted(INITIALIZERS))}. "
            "Received: initializer='glorot'",
        ),
    ],
)
def test_an_impossible_argument_is_told_in_the_factorys_words(changes, reason):
    assert refusal(**changes) == f"model 'resnet_neon': {reason}"

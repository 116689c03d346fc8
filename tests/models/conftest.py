import pytest

from cifar_keras.models import build_model, trainable_parameters
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.fixture(scope="session")
def shipped():
    """Return a function from a recipe's name to its network, built once for all tests.

    Of the networks too large to be kept the last is.
    """
    kept = {}

    def network(name):
        recipe = load_recipe(recipe_path(name))
        model, shape = recipe.model, recipe.image_shape
        key = repr((model.name, model.arguments, shape, recipe.num_classes))
        if key not in kept:
            for large in [k for k, m in kept.items() if trainable_parameters(m) > 12_000_000]:
                del kept[large]
            kept[key] = build_model(model.name, shape, recipe.num_classes, model.arguments)
        return kept[key]

    return network

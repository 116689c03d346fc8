"""The network that a recipe describes, in the recipe's precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from cifar_keras.errors import RecipeError
from cifar_keras.models import build_model, trainable_parameters
from cifar_keras.recipe import Recipe


def build_network(recipe: Recipe) -> keras.Model:
    """Return the recipe's network with new weights, from normalized images to float32 logits.

    Raises:
        RecipeError: the network cannot be built, or its number of parameters is not the recipe's.
    """
    name = recipe.model.name
    with _dtype_policy(recipe.precision):
        model = build_model(name, recipe.input_shape, recipe.num_classes, recipe.model.arguments)
    found = trainable_parameters(model)
    if recipe.parameters not in (0, found):
        raise RecipeError(
            f"model '{name}' has {found:,} trainable parameters, the recipe states "
            f"{recipe.parameters:,}; correct 'parameters', or leave it out"
        )
    return model


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    # Layers keep the policy under which they are created. The rest of the process must not get it.
    before = keras.config.dtype_policy()
    # Comparisons with other frameworks set Keras' float type to float64.
    keras.config.set_dtype_policy(keras.config.floatx() if name == "float32" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

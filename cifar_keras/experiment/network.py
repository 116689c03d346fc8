"""The network that a recipe describes, in the precision that it asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from cifar_keras.models import build_model
from cifar_keras.recipe import Recipe


def build_network(recipe: Recipe) -> keras.Model:
    """The recipe's network with new weights, from normalised images to float32 logits.

    Raises:
        RecipeError: the network cannot be built.
    """
    with _dtype_policy(recipe.precision):
        return build_model(
            recipe.model.name, recipe.input_shape, recipe.num_classes, recipe.model.arguments
        )


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    # Layers keep the policy that they are made under; nothing else in the process is to have it.
    before = keras.config.dtype_policy()
    # Proofs against other frameworks set Keras' float type to float64.
    keras.config.set_dtype_policy(keras.config.floatx() if name == "float32" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

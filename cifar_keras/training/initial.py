"""Initial weights that come from a published file or from the training images."""

from pathlib import Path

from cifar_keras.data.pipeline import TrainingBatches
from cifar_keras.layers.whitening import Whitening
from cifar_keras.models.pretrained import fetch_weights, load_imagenet_resnext
from cifar_keras.recipe import Recipe
from cifar_keras.training.model import TrainingModel

# Of how many training images the whitening is found: airbench94.py and model.py of NAVIER-STOKED.
ADAPTED_TO = 5000


def load_published(model: TrainingModel, recipe: Recipe, given: Path | None) -> None:
    """Give the network the published weights that its recipe begins with, if there are any.

    Args:
        model: the recipe's.
        recipe: which names the file.
        given: the user's copy of it; None to take it from Keras' cache, or download it.

    Raises:
        RunError: the file cannot be had, is another one, or does not fit the network.
    """
    published = recipe.initial_weights
    if published != "none":
        load_imagenet_resnext(model, fetch_weights(published.url, published.md5, given))


def adapt(model: TrainingModel, batches: TrainingBatches) -> None:
    """Fit the whitening layers, if there are any, to the first training images."""
    layers = [layer for layer in model.layers if isinstance(layer, Whitening)]
    if layers:
        images = batches.plain(ADAPTED_TO)
        for layer in layers:
            layer.adapt(images)

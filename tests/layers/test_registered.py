"""Importing `cifar_keras.layers` is enough to load networks with this package's layers."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from small_networks import SMALL

from cifar_keras.experiment.network import build_network
from cifar_keras.initializers import initializer
from cifar_keras.layers import BatchNormalization, Conv2D, LikeliestName, Preprocessing, RReLU
from cifar_keras.recipe import load_recipe, recipe_path

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LOAD = """
import sys
from pathlib import Path
import cifar_keras.layers
import keras
import numpy as np

for path in map(Path, sys.argv[1:]):
    outputs = keras.saving.load_model(path).predict(np.load(path.with_suffix(".npy")), verbose=0)
    np.save(path.with_suffix(".npy"), outputs)
"""


def loaded_elsewhere(folder, models, images):
    """Return the outputs of each model after another process has loaded it."""
    paths = [folder / f"{number}.keras" for number in range(len(models))]
    for path, model, batch in zip(paths, models, images, strict=True):
        model.save(path)
        np.save(path.with_suffix(".npy"), batch)
    subprocess.run([sys.executable, "-c", LOAD, *map(str, paths)], check=True)
    # Class names are objects.
    return [np.load(path.with_suffix(".npy"), allow_pickle=True) for path in paths]


@pytest.mark.slow
def test_after_importing_the_layers_a_saved_network_is_loaded(tmp_path):
    images = keras.Input((8, 8, 3), dtype="uint8")
    x = Preprocessing(8, None, [125.0, 123.0, 114.0], [0.02, 0.02, 0.02])(images)
    x = Conv2D(8, 3, kernel_initializer=initializer("torch_dirac"))(x)
    x = RReLU()(BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    names = [f"class {number}" for number in range(8)]
    model = keras.Model(images, LikeliestName(names)(x))
    batch = np.random.RandomState(0).randint(0, 256, (5, 8, 8, 3)).astype(np.uint8)

    [found] = loaded_elsewhere(tmp_path, [model], [batch])

    assert found.tolist() == model.predict(batch, verbose=0).tolist()


@pytest.mark.slow
def test_after_importing_the_layers_a_network_of_each_family_is_loaded(tmp_path):
    recipes = [load_recipe(recipe_path(name), small) for name, small in SMALL.values()]
    models = [build_network(recipe) for recipe in recipes]
    random = np.random.RandomState(0)
    batches = [random.randn(3, *recipe.image_shape).astype(np.float32) for recipe in recipes]

    found = loaded_elsewhere(tmp_path, models, batches)

    for model, batch, outputs in zip(models, batches, found, strict=True):
        np.testing.assert_allclose(outputs, model.predict(batch, verbose=0), rtol=1e-4, atol=1e-5)

import keras
import numpy as np
import pytest

from cifar_keras.data.normalize import normalization
from cifar_keras.data.pipeline import evaluation_batches
from cifar_keras.layers.preprocessing import LikeliestName, Preprocessing
from cifar_keras.recipe import Data

IMAGES = np.random.RandomState(0).randint(0, 256, (9, 32, 32, 3)).astype(np.uint8)
# A flat image has no contrast.
IMAGES[3] = 77
PLAIN = {
    "batch_size": 4,
    "last_batch": "keep",
    "scale": 1.0,
    "contrast": "none",
    "mean": "channel",
    "std": "channel",
    "padding": "none",
    "pad": 0,
    "crop": 32,
    "flip": "none",
    "cutout": 0,
    "sizes": [],
    "keras_cv": [],
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"std": "none", "scale": 255.0},
        {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "scale": 255.0, "crop": 28},
        {"mean": "image", "std": "none", "crop": 28},
        {"mean": "pixel", "std": "none", "crop": 24},
        {"mean": "none", "std": "none", "contrast": 55.0},
        {"mean": "pixel", "std": "none", "contrast": 55.0, "crop": 28},
    ],
    ids=str,
)
def test_images_are_those_of_the_evaluation_bit_for_bit(changes):
    data = Data.model_validate(PLAIN | changes)
    norm = normalization(data, IMAGES)
    batches = evaluation_batches(IMAGES, np.zeros(9, np.int64), data, norm)
    [(expected, _)] = batches.as_numpy_iterator()
    centered = norm.centered(data.crop)

    layer = Preprocessing(data.crop, norm.contrast, centered.mean.tolist(), norm.factor.tolist())

    np.testing.assert_array_equal(np.asarray(layer(IMAGES)), expected)
    again = Preprocessing.from_config(layer.get_config())
    np.testing.assert_array_equal(np.asarray(again(IMAGES)), expected)
    assert layer.compute_output_shape((None, 32, 32, 3)) == (None, data.crop, data.crop, 3)


def test_the_likeliest_classes_name_comes_out():
    probabilities = np.float32([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])

    names = LikeliestName(["cat", "dog", "frog"])(probabilities)

    assert names.numpy().tolist() == [b"dog", b"cat"]


def test_names_are_strings_in_a_networks_graph():
    inputs = keras.Input((3,))

    output = LikeliestName(["cat", "dog", "frog"])(inputs)

    assert (output.shape, output.dtype) == ((None,), "string")

"""Batches are, bit for bit, those of version 1.0.0, whatever the processor."""

import hashlib

import numpy as np
import pytest

from cifar_keras.data.normalise import normalization
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.recipe import load_recipe, recipe_path

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 32, 32, 3)).astype(np.uint8)
LABELS = np.arange(50)
# One recipe of each distinct data section, the batch size aside: hashes of its batches.
FROZEN = {
    "airbench94": "935fbb3144468606",
    "airbench96": "2aacca7446d957ed",
    "demo": "4dfc8c998994dcaf",
    "dsn": "21b430a192769ab1",
    "dsn_augmented": "e4d4314f91b9673e",
    "highway19": "3e767c95a3c6f312",
    "inception_leaky": "5e069dff38cf0224",
    "nin_leaky": "2bc34779840fc8ab",
    "resnet110": "0f6ca43b43ab320c",
    "resnet110_adadelta": "958a70468fd54869",
    "resnet110_he": "2438d24e47d05cf2",
    "resnext101_finetune": "8d22b890408ba37f",
    "resnext101_sgd_pretrained": "14e8a60209d99858",
    "resnext29_8x64d": "db96dd544ed14610",
    "speedrun100": "b4ba1f05eee14c4c",
    "vgg_bn": "c4b60d292b9cff4c",
}


def hash_of(batches):
    digest = hashlib.sha256()
    for batch in batches:
        for each in batch:
            digest.update(np.asarray(each).tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("name", FROZEN)
def test_batches_are_those_of_version_1(name):
    data = load_recipe(recipe_path(name), ["data.batch_size=16"]).data
    norm = normalization(data, IMAGES)
    source = TrainingBatches(IMAGES, LABELS, data, norm, seed=1)
    tests = evaluation_batches(IMAGES, LABELS, data, norm, batch_size=16)

    # Steps 0 to 4 reach into the second epoch of 3 or 4 steps.
    batches = [
        *source.dataset(0, 5),
        *(source.batch(9, replica, 3) for replica in range(3)),
        *tests,
    ]

    assert hash_of(batches) == FROZEN[name]

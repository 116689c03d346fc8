"""Batches are bit-identical to those of version 1.0.0, on any processor."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.data.normalize import normalization
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.recipe import load_recipe, recipe_path

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 32, 32, 3)).astype(np.uint8)
LABELS = np.arange(50)
# One recipe for each data section that differs in more than the batch size: hashes of its batches.
FROZEN = {
    "airbench94": "88a79ea6dc241a1f",
    "airbench96": "58ea8d2d7dfc3b21",
    "demo": "ec4383a2e6ab5f2b",
    "dsn": "8477c0f562779559",
    "dsn_augmented": "3f31b0f2b286c81f",
    "highway19": "e5da7475cd68501e",
    "inception_leaky": "c47c8e222b5e75fd",
    "nin_leaky": "eb207a09921a2418",
    "resnet110": "c5af26328a44c098",
    "resnet110_adadelta": "958a70468fd54869",
    "resnet110_he": "1222c92a9b1dd27d",
    "resnext101_finetune": "6aaa2fd704355e6b",
    "resnext101_sgd_pretrained": "14e8a60209d99858",
    "resnext29_8x64d": "915c7991ce2d7a77",
    "speedrun100": "0498c09efda45d15",
    "vgg_bn": "8ae18a358252cd71",
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

    step = tf.constant(9, tf.int64)

    # Steps 0 to 4 reach into the second epoch of 3 or 4 steps.
    batches = [
        *source.dataset(0, 5),
        *(source.batch(step, replica, 3) for replica in range(3)),
        *tests,
    ]

    assert hash_of(batches) == FROZEN[name]

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import Dropout, RReLU, SpatialDropout2D
from cifar_keras.layers.share import current_share, share, uniform

IMAGES = np.random.RandomState(0).randn(7, 3, 5, 2).astype(np.float32)
# 7 images in uneven shares, one of them of none: odd numbers of values lie before each.
SHARES = [(0, 1), (1, 3), (3, 3), (3, 7)]


def in_shares(draw):
    parts = []
    for begin, end in SHARES:
        with share(tf.constant(begin), tf.constant(7)):
            parts.append(draw(begin, end))
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_shares_draw_what_one_device_would(dtype):
    def draw(begin, end):
        generator = keras.random.SeedGenerator(5)
        generator.next()
        return uniform((end - begin, 3, 5), generator, dtype, 0.125, 0.5)

    whole = np.asarray(draw(0, 7), np.float64)

    np.testing.assert_array_equal(in_shares(draw), whole)
    assert 0.125 <= whole.min() < 0.2 < 0.4 < whole.max() <= 0.5


def test_numbers_of_one_device_are_those_of_keras():
    ours = uniform((4, 5), keras.random.SeedGenerator(5), "float32", 0.0, 1.0)
    theirs = keras.random.uniform((4, 5), seed=keras.random.SeedGenerator(5))

    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RReLU(0.125, 0.334, seed=3),
        lambda: Dropout(0.3, seed=3),
        lambda: Dropout(0.3, noise_shape=(None, 1, 5, 1), seed=3),
        lambda: SpatialDropout2D(0.3, seed=3),
    ],
    ids=["rrelu", "dropout", "noise-shape", "channels"],
)
def test_layers_do_to_shares_what_they_do_to_the_whole(make):
    whole = make()(IMAGES, training=True).numpy()

    parts = in_shares(lambda begin, end: make()(IMAGES[begin:end], training=True))

    np.testing.assert_array_equal(parts, whole)
    assert (parts != IMAGES).any()


def test_only_what_is_within_has_a_share():
    with share(tf.constant(1), tf.constant(2)):
        inner = current_share()
        with share(tf.constant(3), tf.constant(4)):
            pass
        assert current_share() is inner

    assert current_share() is None


@pytest.mark.parametrize("dropout", [Dropout(0.5), SpatialDropout2D(0.5)])
def test_saved_layers_are_loaded(tmp_path, dropout):
    model = keras.Sequential([keras.Input((3, 5, 2)), dropout])
    model.save(tmp_path / "model.keras")

    [layer] = keras.models.load_model(tmp_path / "model.keras").layers

    assert (type(layer), layer.rate) == (type(dropout), 0.5)

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import Dropout, RReLU, SpatialDropout2D
from cifar_keras.layers.share import current_share, share, uniform_bits

IMAGES = np.random.RandomState(0).randn(7, 3, 5, 2).astype(np.float32)
# 7 images in uneven shards, one of them empty. Each begins after an odd number of values.
SHARES = [(0, 1), (1, 3), (3, 3), (3, 7)]


def in_shares(draw):
    parts = []
    for begin, end in SHARES:
        with share(tf.constant(begin), tf.constant(7)):
            parts.append(draw(begin, end))
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


@pytest.mark.parametrize("image", [(3, 5), (2, 4, 4)])
def test_shares_draw_what_one_device_would(image):
    def draw(begin, end):
        generator = keras.random.SeedGenerator(5)
        generator.next()
        return uniform_bits((end - begin, *image), generator)

    whole = np.asarray(draw(0, 7), np.float64)

    np.testing.assert_array_equal(in_shares(draw), whole)
    assert len(np.unique(whole)) > 100


def test_bits_are_the_halves_of_the_words_that_tensorflow_draws():
    drawn = uniform_bits((3, 5), keras.random.SeedGenerator(5))

    seed = tf.cast(keras.random.SeedGenerator(5).next(), tf.int32)
    words = tf.random.stateless_uniform([8], seed, None, None, tf.uint32).numpy()
    halves = np.stack([words & 0xFFFF, words >> 16], axis=1).ravel()
    np.testing.assert_array_equal(drawn, halves[:15].reshape(3, 5))


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

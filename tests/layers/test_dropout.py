import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import Dropout, SpatialDropout2D


def outputs_and_gradient(layer, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    found = outputs, tape.gradient(outputs, inputs)
    return [tf.cast(each, tf.float64).numpy() for each in found]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.4, 0.5])
def test_the_share_that_is_dropped_is_the_rate_in_every_float_type(dtype, rate):
    inputs = tf.ones((1000, 1000), dtype)

    outputs, gradient = outputs_and_gradient(Dropout(rate, seed=1, dtype=dtype), inputs)

    # Of 10^6 draws: the standard deviation of the fraction is at most 0.0005.
    assert (outputs == 0).mean() == pytest.approx(rate, abs=5 * 0.0005)
    kept = np.unique(outputs[outputs != 0])
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=2**-8)
    np.testing.assert_array_equal(gradient, outputs)


def test_channels_are_dropped_whole():
    inputs = tf.ones((200, 3, 4, 50))

    outputs, gradient = outputs_and_gradient(SpatialDropout2D(0.3, seed=1), inputs)

    assert (outputs == outputs[:, :1, :1]).all()
    assert (outputs[:, 0, 0] == 0).mean() == pytest.approx(0.3, abs=5 * 0.0046)
    np.testing.assert_array_equal(gradient, outputs)


@pytest.mark.parametrize("kind", [Dropout, SpatialDropout2D])
def test_nothing_is_dropped_in_tests_or_at_a_rate_of_zero(kind):
    inputs = tf.random.stateless_normal((5, 3, 4, 2), (1, 2))

    for outputs in (kind(0.5)(inputs), kind(0.0)(inputs, training=True)):
        np.testing.assert_array_equal(outputs, inputs)


def test_every_call_draws_anew_and_the_seed_decides():
    one, same = (Dropout(0.5, seed=7) for _ in range(2))
    inputs = tf.ones((1000,))

    first, second = (outputs_and_gradient(one, inputs)[0] for _ in range(2))

    assert (first != second).any()
    np.testing.assert_array_equal(first, outputs_and_gradient(same, inputs)[0])

"""What oneDNN computes in bfloat16, against float64: sums must not be taken in bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

RANDOM = np.random.RandomState(0)


def outputs_and_gradient(pool, images, factors):
    @tf.function
    def both(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = pool(images)
        return outputs, tape.gradient(outputs, images, output_gradients=factors)

    return [tf.cast(each, tf.float64).numpy() for each in both(images)]


def relative(found, expected):
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))


# System A pools in overlapping windows, whose gradients add up (oneDNN issue 2386).
@pytest.mark.parametrize("pool", [tf.nn.max_pool2d, tf.nn.avg_pool2d])
@pytest.mark.parametrize(("side", "strides"), [(28, 2), (14, 2), (7, 1)])
def test_pooling_in_overlapping_windows_has_exact_gradients(pool, side, strides):
    images = tf.cast(RANDOM.randn(8, side, side, 16), tf.bfloat16)
    factors = tf.cast(RANDOM.randn(*pool(images, 3, strides, "SAME").shape), tf.bfloat16)

    found, expected = (
        outputs_and_gradient(
            lambda x: pool(x, 3, strides, "SAME"), tf.cast(images, each), tf.cast(factors, each)
        )
        for each in (tf.bfloat16, tf.float64)
    )

    for ours, theirs in zip(found, expected, strict=True):
        # At most nine numbers of 8 bits are added.
        assert relative(ours, theirs) < 0.004


def test_batch_statistics_are_those_of_float64():
    images = tf.cast(RANDOM.randn(128, 16, 16, 32) + 3, tf.bfloat16)

    _, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.ones(32),
        offset=tf.zeros(32),
        mean=[],
        variance=[],
        epsilon=1e-5,
        is_training=True,
    )

    exact = tf.cast(images, tf.float64).numpy()
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-3)

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers.grouped_convolution import GroupedConv2D

RANDOM = np.random.RandomState(0)
# (strides, padding, size): a map, a map at stride 2, and the one pixel of ResNeXt-101's stage 4.
CASES = [(1, "same", 6), (2, "valid", 7), (1, "same", 1)]


def layer(strides=1, padding="same"):
    """Return a layer from 12 maps to 12, in 3 groups."""
    made = GroupedConv2D(12, 3, strides, padding=padding, groups=3, use_bias=False)
    made.build((None, 8, 8, 12))
    return made


def one_for_each_group(made, images):
    """Return one ordinary convolution for each of the three groups."""
    kernel = made.kernel.value
    return tf.concat(
        [
            tf.nn.conv2d(
                images[..., 4 * group : 4 * group + 4],
                kernel[..., 4 * group : 4 * group + 4],
                made.strides,
                made.padding.upper(),
            )
            for group in range(3)
        ],
        axis=-1,
    )


@pytest.mark.parametrize(("strides", "padding", "size"), CASES)
def test_each_group_is_a_convolution_of_its_own(strides, padding, size):
    made = layer(strides, padding)
    images = RANDOM.randn(5, size, size, 12).astype(np.float32)

    maps = made(images)

    np.testing.assert_allclose(maps, one_for_each_group(made, images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("strides", "padding", "size"), CASES)
def test_its_gradients_are_those_of_a_convolution_for_each_group(strides, padding, size):
    made = layer(strides, padding)
    images = tf.constant(RANDOM.randn(5, size, size, 12).astype(np.float32))
    weights = RANDOM.randn(*made(images).shape).astype(np.float32)

    def gradients(convolve):
        with tf.GradientTape() as tape:
            tape.watch(images)
            total = tf.reduce_sum(convolve(images) * weights)
        return tape.gradient(total, [made.kernel.value, images])

    found = gradients(made)

    for each, expected in zip(found, gradients(lambda x: one_for_each_group(made, x)), strict=True):
        np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-4)
        assert np.abs(expected).max() > 0.1


def test_it_is_the_operation_itself_and_no_compiled_function():
    made = layer()

    graph = tf.function(made).get_concrete_function(tf.TensorSpec((2, 6, 6, 12))).graph

    types = {operation.type for operation in graph.get_operations()}
    assert "Conv2D" in types
    # Keras' own layer makes one, for XLA.
    assert not types & {"StatefulPartitionedCall", "PartitionedCall"}


def test_keras_own_layer_does_the_same():
    made = layer()
    images = RANDOM.randn(2, 6, 6, 12).astype(np.float32)
    other = keras.layers.Conv2D(12, 3, padding="same", groups=3, use_bias=False)
    other.build(images.shape)
    other.kernel.assign(made.kernel)

    np.testing.assert_allclose(made(images), other(images), rtol=1e-5, atol=1e-5)


def test_it_is_serialised():
    again = keras.layers.deserialize(keras.layers.serialize(layer(2, "valid")))

    assert type(again) is GroupedConv2D
    assert (again.groups, again.filters, again.strides, again.padding) == (3, 12, (2, 2), "valid")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_in_mixed_precision_maps_and_gradients_are_those_of_rounded_numbers(policy):
    made = GroupedConv2D(12, 3, padding="same", groups=3, use_bias=False, dtype=policy)
    half = policy.removeprefix("mixed_")
    images = tf.cast(RANDOM.randn(5, 6, 6, 12), half)
    made.build(images.shape)
    made.kernel.assign(tf.cast(tf.cast(made.kernel.value, half), "float32"))

    with tf.GradientTape() as tape:
        maps = made(images)
        total = tf.reduce_sum(tf.cast(maps, "float32"))
    found = tape.gradient(total, made.kernel.value)

    assert maps.dtype == half
    plain = layer()
    plain.kernel.assign(made.kernel)
    with tf.GradientTape() as tape:
        wanted = plain(tf.cast(images, "float32"))
        total = tf.reduce_sum(wanted)
    np.testing.assert_array_equal(maps, tf.cast(wanted, half))
    expected = tape.gradient(total, plain.kernel.value)
    # The gradient is rounded once.
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)

import keras
import pytest
import tensorflow as tf
from keras import layers

from cifar_keras.layers import Conv2D
from cifar_keras.models import multiply_adds, trainable_parameters


def counts(input_shape, *stack):
    model = keras.Sequential([keras.Input(input_shape), *stack])
    return multiply_adds(model, input_shape), trainable_parameters(model)


def test_a_dense_layer_multiplies_every_input_by_every_output():
    # 3 * 5 products; 3 * 5 weights and 5 biases.
    assert counts((3,), layers.Dense(5)) == (15, 20)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 6 * 6 positions, 3 * 3 taps, 2 inputs, 4 outputs; products with padding count.
        (layers.Conv2D(4, 3, padding="same"), (2592, 76)),
        # 4 * 4 positions remain, or 2 * 2.
        (layers.Conv2D(4, 3), (1152, 76)),
        (layers.Conv2D(4, 3, strides=2, use_bias=False), (288, 72)),
        # Each output sees one of 2 groups, a single channel.
        (layers.Conv2D(4, 3, groups=2), (576, 40)),
        # 4 * 4 positions, 9 taps, 2 channels.
        (layers.DepthwiseConv2D(3), (288, 20)),
        # The same, then 4 * 4 positions, 2 inputs, 4 outputs.
        (layers.SeparableConv2D(4, 3), (288 + 128, 18 + 12)),
    ],
)
def test_a_convolution_multiplies_at_every_place_of_its_output(layer, expected):
    assert counts((6, 6, 2), layer) == expected


def test_products_with_padding_count_on_images_smaller_than_the_kernel_too():
    # 2 * 2 positions, 3 * 3 taps, 2 inputs, 4 outputs.
    assert counts((2, 2, 2), Conv2D(4, 3, padding="same", use_bias=False)) == (288, 72)


def test_a_layer_applied_twice_counts_twice_but_its_parameters_once():
    shared = layers.Conv2D(4, 1, use_bias=False)
    inputs = keras.Input((5, 5, 4))
    model = keras.Model(inputs, shared(shared(inputs)))

    # 5 * 5 positions, 4 inputs, 4 outputs, twice.
    assert multiply_adds(model, (5, 5, 4)) == 800
    assert trainable_parameters(model) == 16


def test_layers_of_a_network_add_up():
    stack = (
        layers.Conv2D(4, 3, use_bias=False),  # 4 * 4 * 9 * 2 * 4 = 1,152; 72
        layers.BatchNormalization(),  # gamma and beta of 4; moving statistics are not trained
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),  # 40; 50
    )

    assert counts((6, 6, 2), *stack) == (1192, 130)


def test_frozen_parameters_are_not_counted():
    assert counts((3,), layers.Dense(5, trainable=False), layers.Dense(2)) == (25, 12)


def test_an_input_of_free_size_is_counted_at_the_given_one():
    model = keras.Sequential([keras.Input((None, None, 2)), layers.Conv2D(4, 3)])

    assert multiply_adds(model, (6, 6, 2)) == 1152


def test_counting_leaves_functions_compiled():
    counts((3,), layers.Dense(5))

    assert not tf.config.functions_run_eagerly()

import functools

import keras
import numpy as np
import pytest

from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.nin import nin

SHAPE = (32, 32, 3)
RELU, PRELU = ("relu", ()), ("prelu", (0.25,))


@functools.cache
def network(activation=RELU, num_classes=100, second_pool="average"):
    kind, numbers = activation
    return nin(SHAPE, num_classes, kind, list(numbers), "kaiming_normal", second_pool, 0.5)


# s9xie/DSN@065e498, whose network has the same convolutions. PReLU has one slope for each of 192 +
# 160 + 96 + 3 * 192 + 2 * 192 maps, and one for each class.
@pytest.mark.parametrize(
    ("activation", "num_classes", "parameters"),
    [
        (RELU, 100, 984_356),
        (RELU, 10, 966_986),
        (("leaky", (0.01,)), 100, 984_356),
        (("rrelu_divisors", (3, 8)), 100, 984_356),
        (PRELU, 100, 985_864),
        (PRELU, 10, 968_404),
    ],
)
def test_it_has_the_published_size(activation, num_classes, parameters):
    assert trainable_parameters(network(activation, num_classes)) == parameters


def test_it_has_the_published_cost():
    # s9xie/DSN@065e498.
    assert round(multiply_adds(network(), SHAPE) / 1e6, 1) == 223.6


def test_logits_are_one_for_each_class():
    assert network().input_shape == (None, 32, 32, 3)
    assert network().output_shape == (None, 100)
    assert network(num_classes=10).output_shape == (None, 10)


LAYERS = """
images
block1_1_conv block1_1_relu block1_2_conv block1_2_relu block1_3_conv block1_3_relu
block1_pool block1_dropout
block2_1_conv block2_1_relu block2_2_conv block2_2_relu block2_3_conv block2_3_relu
block2_pool block2_dropout
block3_1_conv block3_1_relu block3_2_conv block3_2_relu block3_3_conv block3_3_relu
logits
"""


@pytest.mark.parametrize("activation", [RELU, PRELU, ("leaky", (0.01,))])
def test_layers_are_named_from_their_places_in_order(activation):
    names = [layer.name for layer in network(activation).layers]

    assert names == LAYERS.replace("relu", activation[0]).split()


# arXiv 1505.00853: kernel sizes, maps and the sides of images.
def test_convolutions_are_the_published_ones():
    convs = [each for each in network().layers if isinstance(each, keras.layers.Conv2D)]

    assert [(each.kernel_size[0], each.filters, each.output.shape[1]) for each in convs] == [
        (5, 192, 32),
        (1, 160, 32),
        (1, 96, 32),
        (5, 192, 16),
        (1, 192, 16),
        (1, 192, 16),
        (3, 192, 8),
        (1, 192, 8),
        (1, 100, 8),
    ]


@pytest.mark.parametrize(
    ("second_pool", "kind"),
    [("average", keras.layers.AveragePooling2D), ("max", keras.layers.MaxPooling2D)],
)
def test_the_second_pooling_is_the_one_asked_for(second_pool, kind):
    model = network(second_pool=second_pool)
    first, second = model.get_layer("block1_pool"), model.get_layer("block2_pool")

    assert (type(first), type(second)) == (keras.layers.MaxPooling2D, kind)
    assert {(each.pool_size, each.strides) for each in (first, second)} == {((3, 3), (2, 2))}


def test_half_is_dropped_after_both_poolings():
    rates = {each.name: each.rate for each in network().layers if each.name.endswith("dropout")}

    assert rates == {"block1_dropout": 0.5, "block2_dropout": 0.5}


def test_an_average_at_the_border_is_of_the_pixels_inside():
    pool = network().get_layer("block2_pool")

    averages = np.asarray(pool(np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)))

    # Windows over rows and columns 0 to 2 and 2 to 3: (0 + ... + 10) / 9, and so on.
    np.testing.assert_allclose(averages[0, ..., 0], [[5, 6.5], [11, 12.5]])


def test_the_logits_are_means_of_the_last_activations():
    model = network(num_classes=10)
    images = np.random.RandomState(0).randn(2, *SHAPE).astype(np.float32)
    maps = keras.Model(model.input, model.get_layer("block3_3_relu").output)

    logits = np.asarray(model(images))

    assert logits.min() >= 0
    np.testing.assert_allclose(logits, np.asarray(maps(images)).mean(axis=(1, 2)), rtol=1e-4)


# sqrt(2 / fan_in), of 25 * 3, 25 * 96 and 192.
@pytest.mark.parametrize(
    ("name", "deviation"),
    [("block1_1_conv", 0.163299), ("block2_1_conv", 0.028868), ("block3_2_conv", 0.102062)],
)
def test_values_begin_as_asked_for(name, deviation):
    kernel, bias = (np.asarray(each.value) for each in network().get_layer(name).weights)

    assert kernel.std() == pytest.approx(deviation, rel=0.05)
    assert not bias.any()


def test_an_unknown_pooling_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^`second_pool` must be one of average, max. Received: second_pool='mean'$",
    ):
        network(second_pool="mean")


@pytest.mark.parametrize("size", [30, 31])
def test_a_size_that_cannot_be_halved_twice_is_refused(size):
    with pytest.raises(
        ValueError,
        match=rf"^height and width of `input_shape` must be multiples of 4. "
        rf"Received: input_shape=\(32, {size}, 3\)$",
    ):
        nin((32, size, 3), 10, "relu", [], "kaiming_normal", "average", 0.5)

import functools

import keras
import numpy as np
import pytest

from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.highway import highway

SHAPE = (32, 32, 3)


def build(input_shape, num_classes, gate_bias=-2.0):
    return highway(
        input_shape, num_classes, "kaiming_normal", "normal_1", "normal_0.05", gate_bias, 0.2
    )


@functools.cache
def network(num_classes=100):
    return build(SHAPE, num_classes)


# flukeskywalker/highway-networks@87d1c8d for 100 classes. With 10 the 1x1 convolution keeps its 100
# maps (num_output in cifar10_network.prototxt), and the linear layer has 90 * 101 parameters fewer.
@pytest.mark.parametrize(("num_classes", "parameters"), [(100, 2_265_928), (10, 2_256_838)])
def test_it_has_the_published_size(num_classes, parameters):
    assert trainable_parameters(network(num_classes)) == parameters


def test_it_has_the_published_cost():
    # flukeskywalker/highway-networks@87d1c8d.
    assert round(multiply_adds(network(), SHAPE) / 1e6, 1) == 330.8


def test_logits_are_one_for_each_class():
    assert network().input_shape == (None, 32, 32, 3)
    assert network().output_shape == (None, 100)
    assert network(10).output_shape == (None, 10)


# flukeskywalker/highway-networks@87d1c8d.
def test_convolutions_are_the_published_ones():
    convs = [each for each in network().layers if isinstance(each, keras.layers.Conv2D)]
    plain = [each for each in convs if "gate" not in each.name]

    assert [(each.kernel_size[0], each.filters, each.output.shape[1]) for each in plain] == [
        *[(3, 32, 32)] * 5,
        *[(3, 80, 16)] * 6,
        *[(3, 128, 8)] * 6,
        (1, 100, 8),
    ]
    assert len(convs) == len(plain) + 14


HIGHWAY_LAYER = ["conv", "gate_conv", "relu", "gate", "change", "gated", "add"]


def test_layers_are_named_from_their_places():
    names = {layer.name for layer in network().layers}

    expected = {"images", "head_conv", "head_relu", "head_pool", "head_dropout", "logits"}
    for stage, depth in ((1, 4), (2, 5), (3, 5)):
        parts = ["dropout", "conv", "relu", "pool"]
        parts += [f"block{i}_{part}" for i in range(1, depth + 1) for part in HIGHWAY_LAYER]
        expected |= {f"stage{stage}_{part}" for part in parts}
    assert names == expected - {"stage3_pool"}


def test_dropout_has_the_published_places_and_rates():
    before = {
        each.name: (each.rate, each.input._keras_history.operation.name)
        for each in network().layers
        if isinstance(each, keras.layers.Dropout)
    }

    assert before == {
        "stage1_dropout": (0.2, "images"),
        "stage2_dropout": (0.2, "stage1_pool"),
        "stage3_dropout": (0.2, "stage2_pool"),
        "head_dropout": (0.2, "head_pool"),
    }


def test_a_highway_layer_mixes_its_input_with_new_values():
    model = build((4, 4, 3), 10)
    names = ["stage1_relu", *(f"stage1_block1_{part}" for part in ("conv", "gate_conv", "add"))]
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    images = np.random.RandomState(0).randn(2, 4, 4, 3).astype(np.float32)

    x, new, gate, mixed = (np.asarray(each, np.float64) for each in parts(images))

    # flukeskywalker/highway-networks@87d1c8d: ReLU(conv_H x) * sigmoid(conv_T x) + x * (1 -
    # sigmoid(conv_T x)).
    share = 1 / (1 + np.exp(-gate))
    np.testing.assert_allclose(mixed, np.maximum(new, 0) * share + x * (1 - share), atol=1e-5)
    assert np.abs(mixed - x).max() > 0.1


# flukeskywalker/highway-networks@87d1c8d: sqrt(2 / fan_in) of 9 * 32, 9 * 80 and 128; 1 for the
# stem, a mistake of the original; the head has its own.
@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("stage1_conv", 1),
        ("stage1_block1_conv", 0.0833333),
        ("stage2_block3_gate_conv", 0.0527046),
        ("head_conv", 0.125),
        ("logits", 0.05),
    ],
)
def test_kernels_begin_as_in_the_original(name, deviation):
    kernel = np.asarray(network().get_layer(name).kernel.value)

    # The stem has the fewest values, 864, so five standard errors are 12 %.
    assert kernel.std() == pytest.approx(deviation, rel=0.12)


def test_gates_begin_nearly_shut_and_all_other_biases_at_0():
    model = build((4, 4, 3), 10, gate_bias=-3.5)
    biases = {
        each.path: set(np.asarray(each.value)) for each in model.weights if "bias" in each.name
    }

    assert len(biases) == 14 * 2 + 5
    for path, values in biases.items():
        assert values == ({-3.5} if "gate" in path else {0}), path


@pytest.mark.parametrize("size", [30, 31])
def test_a_size_that_cannot_be_halved_twice_is_refused(size):
    with pytest.raises(
        ValueError,
        match=rf"^height and width of `input_shape` must be multiples of 4. "
        rf"Received: input_shape=\(32, {size}, 3\)$",
    ):
        build((32, size, 3), 10)

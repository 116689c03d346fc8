import functools

import keras
import numpy as np
import pytest

from cifar_keras.layers.companion import Companion
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.dsn import dsn

SHAPE = (32, 32, 3)


def build(input_shape, num_classes):
    return dsn(input_shape, num_classes, "normal_0.05", "xavier_caffe_2014_dense", 1, 0.5)


@functools.cache
def network(num_classes=10):
    return build(SHAPE, num_classes)


def companions(model):
    return [each for each in model.layers if isinstance(each, Companion)]


# s9xie/DSN@065e498: the network 966,986, its companions 2,580,510; 984,356 and 25,805,100.
@pytest.mark.parametrize(
    ("num_classes", "main", "all_together"), [(10, 966_986, 3_547_496), (100, 984_356, 26_789_456)]
)
def test_it_has_the_published_size(num_classes, main, all_together):
    model = build(SHAPE, num_classes)

    assert trainable_parameters(model) == all_together
    for layer in companions(model):
        layer.trainable = False
    assert trainable_parameters(model) == main


def test_companions_cost_nothing_at_test():
    # s9xie/DSN@065e498: 223.6 M with 100 classes; 90 * 192 * 8 * 8 fewer with 10.
    assert round(multiply_adds(network(), SHAPE) / 1e6, 1) == 222.5


def test_logits_are_one_for_each_class():
    assert network().input_shape == (None, 32, 32, 3)
    assert network().output_shape == (None, 10)


LAYERS = """
images
block1_1_conv companion1 block1_1_relu block1_2_conv block1_2_relu block1_3_conv block1_3_relu
block1_pool block1_dropout block1_scale
block2_1_conv companion2 block2_1_relu block2_2_conv block2_2_relu block2_3_conv block2_3_relu
block2_pool block2_dropout block2_scale
block3_1_conv companion3 block3_1_relu block3_2_conv block3_2_relu block3_3_conv
logits
"""


def test_layers_are_named_from_their_places_in_order():
    assert [layer.name for layer in network().layers] == LAYERS.split()


def test_companions_see_the_first_convolution_of_each_block():
    assert [(each.name, tuple(each.kernel.shape)) for each in companions(network())] == [
        # 32 * 32, 16 * 16 and 8 * 8 positions of 192 maps.
        ("companion1", (196_608, 10)),
        ("companion2", (49_152, 10)),
        ("companion3", (12_288, 10)),
    ]


def test_companions_have_the_given_weight_and_classify_in_training():
    model = build((4, 4, 3), 10)

    model(np.zeros((2, 4, 4, 3), np.float32), training=True)

    assert [each.loss_weight for each in companions(model)] == [1, 1, 1]
    assert [each.logits.shape for each in companions(model)] == [(2, 10)] * 3


# s9xie/DSN@065e498. The standard deviation of U(-s, s) is s / sqrt(3), where the companions' s is
# sqrt(3 / (inputs * classes)).
@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("block1_1_conv", 0.05),
        ("block3_3_conv", 0.05),
        ("companion1", 0.000713186),
        ("companion3", 0.00285275),
    ],
)
def test_values_begin_as_in_the_original(name, deviation):
    kernel, bias = (np.asarray(each.value) for each in network().get_layer(name).weights)

    assert kernel.std() == pytest.approx(deviation, rel=0.05)
    assert not bias.any()


@pytest.mark.parametrize("block", [1, 2])
def test_dropout_scales_down_at_test_and_not_up_in_training(block):
    model = network()
    layers = [model.get_layer(f"block{block}_{name}") for name in ("dropout", "scale")]

    def outputs(training):
        x = np.ones((1, 100, 100, 4), np.float32)
        for layer in layers:
            x = layer(x, training=training) if "dropout" in layer.name else layer(x)
        return np.asarray(x)

    # 40,000 coin flips, each with a standard deviation of one half.
    assert set(outputs(training=True).ravel()) == {0, 1}
    assert abs(outputs(training=True).mean() - 0.5) < 5 * 0.5 / 200
    assert set(outputs(training=False).ravel()) == {0.5}


def ceil_mode_maxima(x):
    """Compute Caffe's 3x3 max pooling, stride 2, no padding: windows may extend past the image."""
    starts = range(0, x.shape[0] - 1, 2)
    return np.array([[x[i : i + 3, j : j + 3].max() for j in starts] for i in starts])


@pytest.mark.parametrize("size", [32, 16, 4])
def test_on_even_sizes_pooling_is_caffes(size):
    images = np.random.RandomState(0).randn(1, size, size, 1).astype(np.float32)

    maxima = np.asarray(network().get_layer("block1_pool")(images))[0, ..., 0]

    assert maxima.shape == (size // 2, size // 2)
    np.testing.assert_array_equal(maxima, ceil_mode_maxima(images[0, ..., 0]))


def test_poolings_halve_the_image_twice():
    sides = [network().get_layer(f"block{i}_pool").output.shape[1] for i in (1, 2)]

    assert sides == [16, 8]
    assert {type(network().get_layer(f"block{i}_pool")) for i in (1, 2)} == {
        keras.layers.MaxPooling2D
    }


def test_the_last_convolution_has_no_activation():
    images = np.random.RandomState(0).randn(2, *SHAPE).astype(np.float32)
    maps = keras.Model(network().input, network().get_layer("block3_3_conv").output)

    logits = np.asarray(network()(images))

    assert logits.min() < 0 < logits.max()
    np.testing.assert_allclose(logits, np.asarray(maps(images)).mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("size", [30, 31])
def test_a_size_that_cannot_be_halved_twice_is_refused(size):
    with pytest.raises(
        ValueError,
        match=rf"^height and width of `input_shape` must be multiples of 4. "
        rf"Received: input_shape=\(32, {size}, 3\)$",
    ):
        build((32, size, 3), 10)

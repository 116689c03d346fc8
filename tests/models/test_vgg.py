import functools

import keras
import numpy as np
import pytest

from cifar_keras.layers import Dropout
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.vgg import vgg

SHAPE = (32, 32, 3)
BN_DROPOUT, BN, DROPOUT = (True, True, False), (True, False, False), (False, True, False)
SHARED, PLAIN = (False, False, True), (False, False, False)


@functools.cache
def network(batch_norm, dropout, shared, num_classes=10):
    return vgg(
        SHAPE,
        num_classes,
        batch_norm,
        dropout,
        shared,
        "kaiming_normal_fan_out",
        bn_momentum=0.9,
        bn_epsilon=1e-5,
        bn_unbiased=True,
    )


# Vgg.py of chenjz13/CIFAR-10_Pytorch.
@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (BN_DROPOUT, 14_990_922),
        (BN, 14_990_922),
        (DROPOUT, 14_982_474),
        (SHARED, 4_953_162),
        (PLAIN, 14_982_474),
    ],
)
def test_it_has_the_published_size(kind, parameters):
    assert trainable_parameters(network(*kind)) == parameters


# Vgg.py of chenjz13/CIFAR-10_Pytorch: 313.5 M; shared layers cost as often as they are applied.
@pytest.mark.parametrize("kind", [BN_DROPOUT, SHARED])
def test_it_has_the_published_cost(kind):
    assert round(multiply_adds(network(*kind), SHAPE) / 1e6, 1) == 313.5


def test_logits_are_one_for_each_class():
    model = network(*SHARED, num_classes=100)

    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 100)


def test_each_group_ends_with_half_the_size():
    model = network(*BN_DROPOUT)

    assert [model.get_layer(f"group{i}_pool").output.shape[1:] for i in range(1, 6)] == [
        (16, 16, 64),
        (8, 8, 128),
        (4, 4, 256),
        (2, 2, 512),
        (1, 1, 512),
    ]


BN_DROPOUT_LAYERS = """
images
group1_1_conv group1_1_bn group1_1_relu group1_1_dropout
group1_2_conv group1_2_bn group1_2_relu group1_pool
group2_1_conv group2_1_bn group2_1_relu group2_1_dropout
group2_2_conv group2_2_bn group2_2_relu group2_pool
group3_1_conv group3_1_bn group3_1_relu group3_1_dropout
group3_2_conv group3_2_bn group3_2_relu group3_2_dropout
group3_3_conv group3_3_bn group3_3_relu group3_pool
group4_1_conv group4_1_bn group4_1_relu group4_1_dropout
group4_2_conv group4_2_bn group4_2_relu group4_2_dropout
group4_3_conv group4_3_bn group4_3_relu group4_pool
group5_1_conv group5_1_bn group5_1_relu group5_1_dropout
group5_2_conv group5_2_bn group5_2_relu group5_2_dropout
group5_3_conv group5_3_bn group5_3_relu group5_pool
flatten head_1_dropout head_dense head_relu head_2_dropout logits
"""


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [(BN_DROPOUT, ()), (BN, ("dropout",)), (DROPOUT, ("bn",)), (PLAIN, ("bn", "dropout"))],
)
def test_layers_are_named_from_their_places_in_order(kind, left_out):
    names = [layer.name for layer in network(*kind).layers]

    everything = BN_DROPOUT_LAYERS.split()
    assert names == [name for name in everything if name.split("_")[-1] not in left_out]


def test_dropout_has_the_published_places_and_rates():
    model = network(*DROPOUT)

    rates = {each.name: each.rate for each in model.layers if each.name.endswith("dropout")}
    assert rates == {
        "group1_1_dropout": 0.3,
        "group2_1_dropout": 0.4,
        "group3_1_dropout": 0.4,
        "group3_2_dropout": 0.4,
        "group4_1_dropout": 0.4,
        "group4_2_dropout": 0.4,
        "group5_1_dropout": 0.4,
        "group5_2_dropout": 0.4,
        "head_1_dropout": 0.5,
        "head_2_dropout": 0.5,
    }


def test_between_convolutions_whole_channels_are_dropped():
    layer = network(*DROPOUT).get_layer("group2_1_dropout")

    # 1,000 channels of 4 positions. The expected number kept is 600, its standard deviation 15.5.
    outputs = np.asarray(layer(np.ones((10, 2, 2, 100), np.float32), training=True))

    kept = outputs[:, 0, 0, :] > 0
    assert (outputs > 0).all(axis=(1, 2)).sum() == kept.sum() == (outputs > 0).sum() / 4
    assert 600 - 5 * 15.5 < kept.sum() < 600 + 5 * 15.5
    assert outputs.max() == pytest.approx(1 / 0.6)


def test_in_the_classifier_single_numbers_are_dropped():
    assert type(network(*DROPOUT).get_layer("head_1_dropout")) is Dropout


def test_shared_layers_are_applied_in_the_places_of_the_originals():
    model = network(*SHARED)
    order = [
        operation.name
        for operation in model.operations
        if isinstance(operation, keras.layers.Conv2D)
    ]
    calls = {name: len(model.get_layer(name)._inbound_nodes) for name in order}

    assert calls == {
        "group1_1_conv": 1,
        "group1_2_conv": 1,
        "group2_1_conv": 1,
        "group2_2_conv": 1,
        "group3_1_conv": 1,
        "group3_shared_conv": 2,
        "group4_1_conv": 1,
        "group4_5_shared_conv": 5,
    }


def test_a_shared_layer_has_the_weights_of_all_its_places():
    model = network(*SHARED)
    images = np.random.RandomState(0).rand(1, *SHAPE).astype(np.float32)
    maps = keras.Model(
        model.input,
        [model.get_layer(f"group3_{place}_relu").output for place in (1, 2, 3)],
    )

    first, second, third = (np.asarray(each) for each in maps(images))

    conv = model.get_layer("group3_shared_conv")
    np.testing.assert_allclose(second, np.maximum(np.asarray(conv(first)), 0), rtol=1e-5)
    np.testing.assert_allclose(third, np.maximum(np.asarray(conv(second)), 0), rtol=1e-5)


def test_without_sharing_each_convolution_is_applied_once():
    convs = [each for each in network(*PLAIN).layers if isinstance(each, keras.layers.Conv2D)]

    assert [len(each._inbound_nodes) for each in convs] == [1] * 13


def test_batch_norms_have_the_given_constants():
    norms = [each for each in network(*BN).layers if each.name.endswith("bn")]

    assert len(norms) == 13
    assert {(each.momentum, each.epsilon, each.unbiased) for each in norms} == {(0.9, 1e-5, True)}


# train.py of chenjz13/CIFAR-10_Pytorch; the standard deviation of U(-s, s) is s / sqrt(3).
@pytest.mark.parametrize(
    ("name", "deviation", "bias_bound"),
    [
        # sqrt(2 / (9 * 64)); 1 / sqrt(9 * 3).
        ("group1_1_conv", 0.058926, 0.192450),
        # sqrt(2 / (9 * 512)); 1 / sqrt(9 * 256).
        ("group4_1_conv", 0.020833, 0.020833),
        # 1 / sqrt(512) / sqrt(3); 1 / sqrt(512).
        ("head_dense", 0.025516, 0.044194),
    ],
)
def test_values_begin_as_in_the_original(name, deviation, bias_bound):
    kernel, bias = (np.asarray(each.value) for each in network(*PLAIN).get_layer(name).weights)

    assert kernel.std() == pytest.approx(deviation, rel=0.05)
    assert 0.9 * bias_bound < np.abs(bias).max() <= bias_bound * 1.0001
    assert np.sign(bias).min() == -1


@pytest.mark.parametrize("size", [28, 48])
def test_a_size_that_cannot_be_halved_five_times_is_refused(size):
    with pytest.raises(
        ValueError,
        match=rf"^height and width of `input_shape` must be multiples of 32. "
        rf"Received: input_shape=\(32, {size}, 3\)$",
    ):
        vgg((32, size, 3), 10, *PLAIN, "kaiming_normal_fan_out", 0.9, 1e-5, True)

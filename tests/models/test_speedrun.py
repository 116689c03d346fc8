import functools

import keras
import numpy as np
import pytest

from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.speedrun import speedrun

SHAPE = (32, 32, 3)


@functools.cache
def network(input_shape=(None, None, 3), num_classes=100):
    return speedrun(
        input_shape,
        num_classes,
        whitening_epsilon=5e-4,
        kernel_initializer="torch_dirac",
        head_initializer="torch_default",
        bn_momentum=0.9,
        bn_epsilon=1e-5,
        bn_unbiased=True,
        logits_divisor=7.2,
    )


def images(count=2, size=32):
    return np.random.RandomState(0).randn(count, size, size, 3).astype(np.float32)


# By hand, from model.py of NAVIER-STOKED: 24 biases; the kernels (9 * 24 * 64 + 2 * 64 * 64; 9 * 64
# * 256 + 9 * 256 * 192 + 192 * 256; 4 * 256 * 768 + 2 * 9 * 768 * 512); gamma and beta of 192, 704
# and 2,048 maps; 768 * 100.
@pytest.mark.parametrize(("num_classes", "parameters"), [(100, 8_608_024), (10, 8_538_904)])
def test_it_has_the_published_size(num_classes, parameters):
    model = network(SHAPE, num_classes)

    fixed = [each.path for each in model.non_trainable_variables if "moving" not in each.path]
    assert trainable_parameters(model) == parameters
    assert fixed == ["whitening/kernel"]
    assert model.get_layer("whitening").kernel.shape == (2, 2, 3, 24)


# NAVIER-STOKED's README: 175 M at 32. At 24 and 20 it is 0.50 and 0.38 of that, less than the
# squares of 24 / 32 and 20 / 32, because the poolings round down.
@pytest.mark.parametrize(("size", "cost"), [(32, 174_979_872), (24, 86_635_808), (20, 66_537_504)])
def test_it_has_the_published_cost(size, cost):
    assert multiply_adds(network(), (size, size, 3)) == cost


@pytest.mark.parametrize("size", [20, 24, 32])
def test_one_network_takes_images_of_every_size(size):
    assert network()(images(size=size)).shape == (2, 100)


def test_logits_are_one_for_each_class():
    model = network(SHAPE, 10)

    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 3), (None, 10))


GROUP = """
group{0}_1_conv group{0}_pool group{0}_1_bn group{0}_1_silu
group{0}_2_conv group{0}_2_bn group{0}_2_silu
group{0}_3_conv group{0}_3_bn group{0}_3_silu group{0}_add
"""


def test_layers_are_named_from_their_places_in_order():
    groups = " ".join(GROUP.format(number) for number in (1, 2, 3))

    expected = (
        f"images whitening whitening_silu {groups} pool_max pool_mean pool logits logits_scaled"
    )
    assert [layer.name for layer in network().layers] == expected.split()


def test_groups_have_the_published_maps_and_sizes():
    model = network(SHAPE)

    # model.py of NAVIER-STOKED: sides of 31, 15, 7, 3 pixels; 64 in 64, 192 in 256, 512 in 768
    # maps.
    places = [f"group{group}_{place}_silu" for group in (1, 2, 3) for place in (1, 2, 3)]
    assert model.get_layer("whitening").output.shape[1:] == (31, 31, 24)
    assert [model.get_layer(place).output.shape[2:] for place in places] == [
        (15, 64),
        (15, 64),
        (15, 64),
        (7, 256),
        (7, 192),
        (7, 256),
        (3, 768),
        (3, 512),
        (3, 768),
    ]


def test_kernels_have_the_published_sizes():
    convs = [each for each in network().layers if isinstance(each, keras.layers.Conv2D)]

    assert [each.kernel_size[0] for each in convs] == [3, 1, 1, 3, 3, 1, 2, 3, 3]
    assert {each.use_bias for each in convs} == {False}


def outputs_of(*names):
    model = network()
    model.get_layer("whitening").adapt(images(4))
    maps = keras.Model(model.input, [model.get_layer(name).output for name in names])
    return [np.asarray(each) for each in maps(images())]


def test_the_shortcut_is_added_behind_the_last_activation():
    shortcut, inner, outputs = outputs_of("group2_1_silu", "group2_3_silu", "group2_add")

    assert np.abs(inner).max() > 0.1
    np.testing.assert_allclose(outputs, shortcut + inner, rtol=1e-5, atol=1e-6)


def test_the_head_adds_maximum_and_mean_of_each_map():
    last, pooled = outputs_of("group3_add", "pool")

    expected = last.max(axis=(1, 2)) + last.mean(axis=(1, 2))
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-6)


def test_logits_are_multiplied_by_1_25_over_9():
    logits, scaled = outputs_of("logits", "logits_scaled")

    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, logits * 0.1388889, rtol=1e-5)


# PyTorch 2.13 with padding="same" gives the same numbers.
def test_the_2x2_kernel_is_padded_below_and_right():
    kernel = np.arange(1.0, 5.0).reshape(2, 2, 1, 1)
    layer = keras.layers.Conv2D(
        1, 2, padding="same", use_bias=False, kernel_initializer=lambda *_, **__: kernel
    )
    image = np.array([[1.0, 10], [100, 1000]]).reshape(1, 2, 2, 1)

    outputs = np.asarray(layer(image))[0, :, :, 0]

    # The upper left corner of [[1, 2], [3, 4]] is at each position; beyond are zeros.
    assert outputs.tolist() == [[4321, 3010], [2100, 1000]]
    assert network().get_layer("group3_1_conv").padding == "same"


def test_the_2x2_kernel_begins_by_moving_maps_up_and_left():
    layer = network().get_layer("group3_1_conv")
    maps = np.random.RandomState(0).randn(1, 4, 4, 256).astype(np.float32)

    outputs = np.asarray(layer(maps))[..., :256]

    # The tap at index 2 // 2 reads the pixel below and right.
    np.testing.assert_allclose(outputs[:, :3, :3], maps[:, 1:, 1:], rtol=1e-6)
    assert not outputs[:, 3].any()
    assert not outputs[:, :, 3].any()


def test_batch_norms_have_the_given_constants():
    norms = [each for each in network().layers if each.name.endswith("bn")]

    assert len(norms) == 9
    assert {(each.momentum, each.epsilon, each.unbiased) for each in norms} == {(0.9, 1e-5, True)}
    assert {len(each.trainable_weights) for each in norms} == {2}


def test_the_activation_is_silu():
    for name in ("whitening_silu", "group1_1_silu", "group3_3_silu"):
        value = float(network().get_layer(name)(np.ones((1, 1), np.float32))[0, 0])

        # 1 / (1 + 1 / e).
        assert value == pytest.approx(0.731059, abs=1e-5)


def test_values_begin_as_in_the_original():
    model = network(SHAPE)
    narrowing = np.asarray(model.get_layer("group2_2_conv").kernel.value)
    widening = np.asarray(model.get_layer("group3_1_conv").kernel.value)

    # All 192 filters copy one of the 256 inputs. Of 768 filters 256 are copies; the others are
    # within 1 / sqrt(4 * 256).
    assert np.abs(narrowing).sum() == 192
    assert np.abs(widening[..., 256:]).max() == pytest.approx(0.03125, rel=0.01)
    assert np.abs(widening[..., :256]).sum() == 256


def test_the_covariance_is_centered_and_the_bias_begins_at_zero():
    layer = network(SHAPE).get_layer("whitening")

    assert (layer.centered, layer.epsilon) == (True, 5e-4)
    assert not np.asarray(layer.bias.value).any()


def test_images_too_small_for_three_poolings_are_refused():
    with pytest.raises(
        ValueError,
        match=r"^height and width of `input_shape` must be at least 9. "
        r"Received: input_shape=\(32, 8, 3\)$",
    ):
        network((32, 8, 3))

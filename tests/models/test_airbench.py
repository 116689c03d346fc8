import functools

import keras
import numpy as np
import pytest

from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.airbench import airbench

SHAPE = (32, 32, 3)
NETWORKS = {
    "airbench94": ([64, 256, 256], False),
    "airbench95": ([128, 384, 384], False),
    "airbench96": ([128, 384, 512], True),
}
ARGUMENTS = {
    "widths": [8, 10, 12],
    "residual": False,
    "whitening_epsilon": 5e-4,
    "whitening_bias": "zeros",
    "kernel_initializer": "torch_dirac",
    "head_initializer": "torch_default",
    "bn_momentum": 0.6,
    "bn_epsilon": 1e-12,
    "bn_unbiased": True,
    "logits_divisor": 9,
}


def small(input_shape=SHAPE, num_classes=10, **changes):
    return airbench(input_shape, num_classes, **(ARGUMENTS | changes))


@functools.cache
def network(name):
    widths, residual = NETWORKS[name]
    return small(widths=widths, residual=residual)


# airbench94.py: 1,971,640 for 94, including the whitening's 288. The others by hand: 24 biases,
# 9 * inputs * outputs of each convolution, one beta per map, ten classes.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("airbench94", 1_971_640 - 288),
        # 24 + 9 * (24 * 128 + 128 * 128 + 128 * 384 + 3 * 384 * 384) + 2 * 896 + 3840.
        ("airbench95", 4_604_440),
        # 24 + 9 * (24 * 128 + 2 * 128 ** 2 + 128 * 384 + 2 * 384 ** 2 + 384 * 512 + 2 * 512 ** 2)
        # + 3 * 1024 + 5120.
        ("airbench96", 9_915_416),
    ],
)
def test_it_has_the_published_size(name, parameters):
    model = network(name)

    fixed = [
        variable.path for variable in model.non_trainable_variables if "moving" not in variable.path
    ]
    assert trainable_parameters(model) == parameters
    assert fixed == ["whitening/kernel"]


# By hand: 31 * 31 * 288, then 9 * inputs * outputs at sides of 31, 15, 15, 7, 7 and 3 pixels (96:
# the smaller ones twice), then the head. The 476 * 1024 images of 94, at six times this each, are
# 0.345 of the published 0.36 PFLOP.
@pytest.mark.parametrize(
    ("name", "cost"),
    [("airbench94", 118_147_360), ("airbench95", 301_560_864), ("airbench96", 451_967_264)],
)
def test_it_has_the_published_cost(name, cost):
    assert multiply_adds(network(name), SHAPE) == cost


def test_logits_are_one_for_each_class():
    model = small(num_classes=100)

    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 100)


GROUP = """
group{0}_1_conv group{0}_pool group{0}_1_bn group{0}_1_gelu
group{0}_2_conv group{0}_2_bn group{0}_2_gelu
"""
THIRD = "group{0}_3_conv group{0}_3_bn group{0}_add group{0}_3_gelu"


@pytest.mark.parametrize("residual", [False, True])
def test_layers_are_named_from_their_places_in_order(residual):
    model = small(residual=residual)

    group = GROUP + THIRD if residual else GROUP
    groups = "".join(group.format(number) + " " for number in (1, 2, 3))
    expected = f"images whitening whitening_gelu {groups} pool flatten logits logits_scaled"
    assert [layer.name for layer in model.layers] == expected.split()


def test_sizes_are_the_published_ones():
    model = network("airbench94")

    # airbench94.py: 32, 31, 15, 7, 3, 1.
    names = ["whitening", "group1_2_gelu", "group2_2_gelu", "group3_2_gelu", "pool"]
    assert [model.get_layer(name).output.shape[1:] for name in names] == [
        (31, 31, 24),
        (15, 15, 64),
        (7, 7, 256),
        (3, 3, 256),
        (1, 1, 256),
    ]


def test_the_shortcut_leaves_after_the_first_gelu_and_joins_before_the_last():
    model = small(residual=True)
    places = ["group2_1_gelu", "group2_3_bn", "group2_3_gelu"]
    maps = keras.Model(model.input, [model.get_layer(place).output for place in places])
    model.get_layer("whitening").adapt(np.random.RandomState(0).randn(2, *SHAPE))

    shortcut, inner, after = maps(np.random.RandomState(1).randn(2, *SHAPE).astype(np.float32))

    assert np.abs(shortcut).max() > 0.1
    expected = keras.ops.gelu(shortcut + inner, approximate=False)
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)


def test_the_gelu_is_the_exact_one():
    for name in ("whitening_gelu", "group1_1_gelu", "group3_2_gelu"):
        value = float(small().get_layer(name)(np.ones((1, 1), np.float32))[0, 0])

        # Phi(1) = 0.841345; the hyperbolic tangent's approximation gives 0.841192.
        assert value == pytest.approx(0.841345, abs=1e-5)


def test_batch_norms_have_the_given_constants_and_no_gamma():
    norms = [each for each in small(residual=True).layers if each.name.endswith("bn")]

    assert len(norms) == 9
    assert {(each.momentum, each.epsilon, each.unbiased) for each in norms} == {(0.6, 1e-12, True)}
    assert {tuple(variable.name for variable in each.weights) for each in norms} == {
        ("beta", "moving_mean", "moving_variance")
    }


@pytest.mark.parametrize("divisor", [9, 256])
def test_logits_are_divided(divisor):
    model = small(logits_divisor=divisor)
    both = keras.Model(model.input, [model.get_layer("logits").output, model.output])
    model.get_layer("whitening").adapt(np.random.RandomState(0).randn(2, *SHAPE))

    logits, scaled = both(np.random.RandomState(1).randn(2, *SHAPE).astype(np.float32))

    assert np.abs(logits).max() > 0.01
    np.testing.assert_allclose(np.asarray(scaled) * divisor, logits, rtol=1e-5)


def test_values_begin_as_in_the_original():
    model = network("airbench94")
    first, last = (
        np.asarray(model.get_layer(f"group{name}_conv").kernel.value) for name in ("1_1", "3_2")
    )
    head = np.asarray(model.get_layer("logits").kernel.value)

    # airbench94.py: copies of the 24 whitened maps; 1 / sqrt(9 * 24).
    np.testing.assert_array_equal(first[1, 1, :, :24], np.eye(24))
    assert np.abs(first[..., 24:]).max() == pytest.approx(0.0680414, rel=0.01)
    # As many maps as inputs: only copies.
    assert np.abs(last).sum() == 256
    # 1 / sqrt(256).
    assert np.abs(head).max() == pytest.approx(0.0625, rel=0.01)
    assert not np.asarray(model.get_layer("whitening").bias.value).any()


def test_the_whitening_bias_begins_as_told():
    bias = np.asarray(small(whitening_bias="torch_default").get_layer("whitening").bias.value)

    # airbench94_muon.py: PyTorch's default, U(+-1 / sqrt(3 * 2 * 2)).
    assert 0.5 * 0.288675 < np.abs(bias).max() <= 0.288676


def test_the_second_moment_is_not_centered():
    layer = small(whitening_epsilon=1e-3).get_layer("whitening")

    assert (layer.centered, layer.epsilon) == (False, 1e-3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"input_shape": (32, 24, 3)},
            r"height and width of `input_shape` must be at least 25. "
            r"Received: input_shape=\(32, 24, 3\)",
        ),
        (
            {"input_shape": (None, None, 3)},
            r"height and width of `input_shape` must be at least 25. "
            r"Received: input_shape=\(None, None, 3\)",
        ),
        (
            {"widths": [8, 8]},
            r"`widths` must be three, one per group. Received: widths=\[8, 8\]",
        ),
        (
            {"whitening_bias": "ones"},
            r"`whitening_bias` must be zeros or torch_default. Received: whitening_bias='ones'",
        ),
    ],
)
def test_impossible_arguments_are_refused(changes, told):
    with pytest.raises(ValueError, match=f"^{told}$"):
        small(**changes)

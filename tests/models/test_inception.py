import functools
from math import prod

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.experiment.optimizers import make_optimizer
from cifar_keras.experiment.stages import Plan
from cifar_keras.layers import BatchNormalization, RReLU
from cifar_keras.models import build_model, multiply_adds, trainable_parameters
from cifar_keras.models.inception import inception
from cifar_keras.optimizers import CoupledSGD
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.schedules import Pace

SHAPE = (28, 28, 3)
RANDOM = np.random.RandomState(0)
ABLATION = ["inception_relu", "inception_leaky", "inception_prelu"]
RECIPES = ["inception_rrelu", "inception_rrelu_modern", *ABLATION]

# The CIFAR-100 notebook of apache/mxnet@011bde4d: the outputs and parameters of each module.
MODULES = {
    "3a": ((28, 28, 256), 177_216),
    "3b": ((28, 28, 320), 260_704),
    "3c": ((14, 14, 576), 385_632),
    "4a": ((14, 14, 576), 610_848),
    "4b": ((14, 14, 576), 666_240),
    "4c": ((14, 14, 608), 915_456),
    "4d": ((14, 14, 608), 1_144_000),
    "4e": ((7, 7, 1056), 1_451_008),
    "5a": ((7, 7, 1024), 2_210_496),
    "5b": ((7, 7, 1024), 2_281_248),
}


@functools.cache
def network():
    model = load_recipe(recipe_path("inception_rrelu")).model
    return build_model(model.name, SHAPE, 100, model.arguments)


def of(kind):
    return [layer for layer in network().layers if isinstance(layer, kind)]


def count(variables):
    return sum(prod(variable.shape) for variable in variables)


def part(first, last):
    """Return the network from the output of one layer to that of another."""
    return keras.Model(network().get_layer(first).output, network().get_layer(last).output)


# The CIFAR-100 notebook of apache/mxnet@011bde4d.
def test_it_has_the_published_size_and_cost():
    model = network()

    assert trainable_parameters(model) == 10_205_348
    assert count(v for layer in of(BatchNormalization) for v in layer.non_trainable_variables) == (
        19_392
    )
    assert round(multiply_adds(model, SHAPE) / 1e9, 4) == 1.5208
    assert (model.input_shape, model.output_shape) == ((None, 28, 28, 3), (None, 100))


def test_its_parameters_are_of_the_published_kinds():
    convolutions = of(keras.layers.Conv2D)

    assert count(each.kernel for each in convolutions) == 10_073_760
    assert count(each.bias for each in convolutions) == 9_696
    norms = of(BatchNormalization)
    assert count(v for each in norms for v in each.trainable_variables) == 19_392
    assert count(network().get_layer("logits").variables) == 102_500


@pytest.mark.parametrize("place", MODULES)
def test_every_module_has_its_published_outputs_and_parameters(place):
    shape, parameters = MODULES[place]

    assert network().get_layer(f"module{place}").output.shape[1:] == shape
    inside = [layer for layer in network().layers if layer.name.startswith(f"module{place}_")]
    assert count(v for layer in inside for v in layer.trainable_variables) == parameters


INNER = ["triple_reduce", "triple", "double_reduce", "double_1", "double_2"]


def names(place):
    start = f"module{place}_"
    found = [each.name for each in network().layers if each.name.startswith(start)]
    return sorted(name.removeprefix(start) for name in found)


def test_a_module_has_four_branches_and_each_unit_three_layers():
    assert names("3a") == sorted(
        [
            f"{unit}_{layer}"
            for unit in ["single", *INNER, "projection"]
            for layer in ("conv", "bn", "rrelu")
        ]
        + ["pool"]
    )


@pytest.mark.parametrize("place", ["3c", "4e"])
def test_a_halving_module_has_no_1x1_and_pools_without_convolution(place):
    assert names(place) == sorted(
        [f"{unit}_{layer}" for unit in INNER for layer in ("conv", "bn", "rrelu")]
        + ["pool", "triple_pad", "double_2_pad"]
    )
    # The input's maps pass through the pooling and come last.
    [last] = [tensor.shape[-1] for tensor in network().get_layer(f"module{place}").input[2:]]
    assert network().get_layer(f"module{place}_pool").output.shape[-1] == last


def test_the_pools_are_averages_except_where_modules_halve_and_in_5b():
    pools = {place: network().get_layer(f"module{place}_pool") for place in MODULES}

    largest = [place for place, p in pools.items() if isinstance(p, keras.layers.MaxPooling2D)]
    assert largest == ["3c", "4e", "5b"]
    assert {place: p.strides for place, p in pools.items() if p.strides != (1, 1)} == {
        "3c": (2, 2),
        "4e": (2, 2),
    }


def windows(maps, place):
    """Return the 3x3 neighborhood, clipped at the borders."""
    y, x = place
    return maps[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]


def test_the_average_leaves_the_padding_out():
    maps = RANDOM.randn(2, 28, 28, 3).astype(np.float32)

    pooled = part("images", "module3a_pool")(maps).numpy()

    for place in [(0, 0), (0, 9), (27, 27), (13, 5)]:
        expected = windows(maps, place).mean(axis=(1, 2))
        np.testing.assert_allclose(pooled[:, place[0], place[1]], expected, rtol=1e-4, atol=1e-6)


def test_the_maximum_of_5b_is_over_neighbours_of_distance_1():
    maps = RANDOM.randn(2, 7, 7, 1024).astype(np.float32)

    pooled = part("module5a", "module5b_pool")(maps).numpy()

    for place in [(0, 0), (0, 3), (6, 6), (3, 2)]:
        np.testing.assert_array_equal(
            pooled[:, place[0], place[1]], windows(maps, place).max(axis=(1, 2))
        )


# apache/mxnet@011bde4d: the last window of a pooling is clipped to the right and below.
def test_a_halving_pool_begins_at_the_first_pixel():
    maps = RANDOM.randn(1, 28, 28, 320).astype(np.float32)

    pooled = part("module3b", "module3c_pool")(maps).numpy()

    assert pooled.shape == (1, 14, 14, 320)
    for y, x in [(0, 0), (13, 13), (5, 13)]:
        expected = maps[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max(axis=(1, 2))
        np.testing.assert_array_equal(pooled[:, y, x], expected)


def test_a_halving_convolution_pads_one_pixel_all_round():
    maps = RANDOM.randn(1, 28, 28, 128).astype(np.float32)
    layer = network().get_layer("module3c_triple_conv")

    convolved = part("module3c_triple_reduce_rrelu", "module3c_triple_conv")(maps).numpy()

    assert convolved.shape == (1, 14, 14, 160)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for y, x in [(0, 0), (13, 13), (6, 0)]:
        window = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        expected = np.tensordot(window, layer.kernel.numpy(), 3) + layer.bias.numpy()
        np.testing.assert_allclose(convolved[:, y, x], expected, rtol=1e-3, atol=1e-3)


# apache/mxnet@011bde4d.
def test_the_constants_are_those_of_mxnet_in_september_2015():
    norms = of(BatchNormalization)

    assert {(each.momentum, each.epsilon) for each in norms} == {(0.1, 1e-10)}
    assert not any(each.moving_mean.numpy().any() for each in norms)
    assert not any(each.moving_variance.numpy().any() for each in norms)
    assert all(each.use_bias for each in of(keras.layers.Conv2D))
    assert {(each.lower, each.upper, each.divisors) for each in of(RReLU)} == {
        (0.125, 0.334, False)
    }


def test_the_modern_form_has_the_constants_of_later_versions(shipped):
    norms = [each for each in shipped("inception_rrelu_modern").layers if "_bn" in each.name]

    assert {(each.momentum, each.epsilon) for each in norms} == {(0.9, 1e-3)}
    assert all((each.moving_variance.numpy() == 1).all() for each in norms)


@pytest.mark.slow
def test_zero_variances_and_a_tiny_epsilon_divide_nothing_by_zero():
    model = inception((4, 4, 3), 100, **load_recipe(recipe_path("inception_rrelu")).model.arguments)
    images = (60 * RANDOM.randn(8, 4, 4, 3)).astype(np.float32)
    # Maps with one value in the whole batch have no variance: here those that see only red.
    images[..., 0] = 7
    kernel = model.get_layer("module3a_single_conv").kernel
    kernel.assign(kernel.numpy() * np.array([1, 0, 0], np.float32)[:, None])

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(images, training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    assert np.isfinite(loss.numpy())
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)
    # One step fills the moving statistics, so the network can be evaluated.
    assert np.isfinite(model(images, training=False).numpy()).all()


def test_the_decay_is_on_every_parameter():
    recipe = load_recipe(recipe_path("inception_rrelu"))
    optimizer = make_optimizer(recipe, Pace(782))

    assert isinstance(optimizer, CoupledSGD)
    assert (optimizer.coupled_decay, optimizer.decayed) == (1e-4, "all")
    # apache/mxnet@011bde4d decays biases, gamma and beta, too. A rate of 0.05 makes it visible.
    layers = [network().get_layer(f"module3a_single_{kind}") for kind in ("conv", "bn")]
    variables = [v for layer in layers for v in layer.trainable_variables]
    kept = [variable.numpy() for variable in variables]
    optimizer.learning_rate = 0.05
    for variable in variables:
        variable.assign(keras.ops.ones_like(variable))
    optimizer.apply_gradients([(keras.ops.zeros_like(v), v) for v in variables])
    after = {v.name: float(v.numpy().min()) for v in variables}
    for variable, values in zip(variables, kept, strict=True):
        variable.assign(values)

    assert after == dict.fromkeys(
        ["kernel", "bias", "gamma", "beta"], pytest.approx(1 - 0.05 * 1e-4, abs=1e-7)
    )


# The CIFAR-100 notebook's log: 39 epochs of 782 batches, then 7 from the weights after 38.
def test_the_second_stage_goes_on_from_the_38th_epoch_of_the_first():
    first, second = Plan(load_recipe(recipe_path("inception_rrelu")), 50_000).stages

    assert (first.steps, first.steps_before, first.start) == (30_498, 0, None)
    assert (second.steps, second.steps_before, second.start) == (5_474, 30_498, (0, 29_716))
    assert (first.rate(0), first.rate(30_497)) == (0.05, 0.05)
    assert (second.rate(0), second.rate(5_473)) == (0.01, 0.01)


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipes_differ_in_what_their_names_say_and_nothing_else(name):
    base = load_recipe(recipe_path("inception_rrelu")).settings()
    recipe = load_recipe(recipe_path(name)).settings()

    differing = {key for key in base["model"] if base["model"][key] != recipe["model"][key]}
    assert differing == {
        "inception_rrelu": set(),
        "inception_rrelu_modern": {"bn_momentum", "bn_epsilon", "bn_initial_variance"},
    }.get(name, {"activation", "activation_numbers"})
    assert base | {"model": None} == recipe | {"model": None}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inception_relu", (keras.layers.ReLU, [0.0, 2.0])),
        # apache/mxnet@011bde4d: the slope of RReLU at test time.
        ("inception_leaky", (keras.layers.LeakyReLU, [-0.2295, 2.0])),
        ("inception_prelu", (keras.layers.PReLU, [-0.25, 2.0])),
    ],
)
def test_the_ablation_has_the_activation_of_its_name(name, expected, shipped):
    kind = name.removeprefix("inception_")
    layer = shipped(name).get_layer(f"module3a_single_{kind}")
    inputs = np.tile(np.array([-1.0, 2.0], np.float32)[:, None, None, None], (1, 28, 28, 64))

    outputs = layer(inputs).numpy()

    assert type(layer) is expected[0]
    np.testing.assert_allclose(outputs[:, 0, 0, 0], expected[1], rtol=1e-6)


def test_prelu_learns_one_slope_a_channel(shipped):
    assert trainable_parameters(shipped("inception_prelu")) == 10_215_044
    layer = shipped("inception_prelu").get_layer("module3a_single_prelu")
    assert layer.alpha.shape == (1, 1, 64)


@pytest.mark.parametrize("shape", [(30, 28, 3), (28, 27, 3)])
def test_images_whose_windows_would_differ_from_mxnet_are_refused(shape):
    arguments = load_recipe(recipe_path("inception_rrelu")).model.arguments
    with pytest.raises(
        ValueError,
        match=r"^height and width of `input_shape` must be multiples of 4. "
        rf"Received: input_shape=\({shape[0]}, {shape[1]}, 3\)$",
    ):
        inception(shape, 100, **arguments)

"""Every family builds and trains a step in every precision, with float32 logits."""

import keras
import numpy as np
import pytest
import small_networks
import tensorflow as tf
from small_networks import SMALL
from tensorflow.python.framework import config as tf_config

from cifar_keras.errors import RecipeError
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.experiment.network import build_network
from cifar_keras.layers import Whitening
from cifar_keras.layers.companion import Companion
from cifar_keras.models import MODELS, multiply_adds, trainable_parameters
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.schedules import Pace

MIXED = ["mixed_bfloat16", "mixed_float16"]
# Their layers are those of `resnet_neon` and `resnext_cifar`.
ALIKE = ("resnet_he", "resnet_mxnet", "resnext_imagenet")


@pytest.fixture
def narrow(monkeypatch):
    small_networks.narrow(monkeypatch.setattr)


def recipe_of(name, *overrides):
    return load_recipe(recipe_path(name), ["data.batch_size=4", *overrides])


def trained_a_step(recipe, jit=False):
    """Return the recipe's model after a step that was not skipped, its batch and logs."""
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    model = compiled_model(recipe, 1, strategy, Pace(4))
    random = np.random.RandomState(0)
    images = random.randn(4, *recipe.image_shape).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, Whitening):
            layer.adapt(images)
    batch = images, np.arange(4)
    before = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.learning_rate = 1e-3
    step = tf.function(model.train_step, jit_compile=True) if jit else model.train_step
    for _ in range(30):
        logs = strategy.run(step, args=(batch,))
        if int(model.optimizer.iterations.numpy()):
            break
    after = [variable.numpy() for variable in model.trainable_variables]
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    assert all(np.isfinite(variable).all() for variable in after)
    return model, batch, logs


def assert_float32_where_it_must_be(model, images):
    companions = [layer for layer in model.layers if isinstance(layer, Companion)]
    assert all(layer.logits.dtype == "float32" for layer in companions)
    assert model(images, training=False).dtype == "float32"
    assert {variable.dtype for variable in model.weights} == {"float32"}


def test_every_family_is_here():
    assert sorted(SMALL) == sorted(MODELS)


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "family",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in ALIKE)) for each in SMALL],
)
def test_every_family_trains_in_mixed_precision(narrow, family, precision):
    name, overrides = SMALL[family]
    recipe = recipe_of(name, f"precision={precision}", *overrides)
    assert recipe.model.name == family

    model, (images, _), logs = trained_a_step(recipe)

    assert np.isfinite(float(logs["loss"]))
    assert_float32_where_it_must_be(model, images)
    computed = {layer.compute_dtype for layer in model.layers}
    assert precision.removeprefix("mixed_") in computed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_rrelu", "resnext101_adadelta", "speedrun100"])
def test_networks_of_full_size_train_in_mixed_precision(name):
    model, (images, _), logs = trained_a_step(recipe_of(name, "precision=mixed_float16"))

    assert np.isfinite(float(logs["loss"]))
    assert_float32_where_it_must_be(model, images)


@pytest.fixture
def nondeterministic():
    """Turn off deterministic operations, as `--jit on` does.

    Tests of runs turn them on in this process, and `tf.config` cannot turn them off again.
    """
    was = tf_config.is_op_determinism_enabled()
    tf_config.disable_op_determinism()
    yield
    if was:
        tf_config.enable_op_determinism()


# This is the setting on a single GPU.
@pytest.mark.slow
@pytest.mark.parametrize("family", SMALL)
def test_xla_compiles_a_step_of_every_family(narrow, nondeterministic, family):
    name, overrides = SMALL[family]
    recipe = recipe_of(name, "precision=mixed_float16", *overrides)

    _, _, logs = trained_a_step(recipe, jit=True)

    assert np.isfinite(float(logs["loss"]))


@pytest.mark.parametrize("precision", MIXED)
def test_what_is_counted_of_a_network_does_not_depend_on_its_precision(precision):
    plain, mixed = (build_network(recipe_of("demo", *more)) for more in ([], [f"{precision=!s}"]))

    assert trainable_parameters(mixed) == trainable_parameters(plain)
    assert multiply_adds(mixed, (32, 32, 3)) == multiply_adds(plain, (32, 32, 3))
    assert [v.path for v in mixed.variables] == [v.path for v in plain.variables]


def test_the_policy_is_that_of_the_network_alone():
    before = keras.config.dtype_policy()

    network = build_network(recipe_of("demo", "precision=mixed_bfloat16"))

    assert network.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() is before


def test_a_network_that_cannot_be_built_leaves_no_policy_behind():
    before = keras.config.dtype_policy()

    with pytest.raises(RecipeError):
        build_network(recipe_of("resnet20", "precision=mixed_bfloat16", "model.depth=9"))

    assert keras.config.dtype_policy() is before


def test_the_policy_of_the_process_does_not_reach_a_recipes_network():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_network(recipe_of("demo"))
    finally:
        keras.config.set_dtype_policy(before)

    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_a_network_with_other_parameters_than_its_recipe_states_is_refused():
    with pytest.raises(RecipeError) as caught:
        build_network(recipe_of("demo", "parameters=77861"))

    assert str(caught.value) == (
        "model 'resnet_neon' has 77,860 trainable parameters, the recipe states 77,861; "
        "correct 'parameters', or leave it out"
    )

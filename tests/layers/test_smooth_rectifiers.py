import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import GELU, SiLU

LAYERS = [(GELU, keras.ops.gelu), (SiLU, keras.ops.silu)]
# Both tails, where exponentials under- and overflow, and the middle.
INPUTS = np.concatenate([np.linspace(-8, 8, 4001), [-1e4, -90.0, -30.0, 0.0, 30.0, 90.0, 1e4]])


def exact(kind):
    """Return outputs and gradient, computed by Python's own functions."""
    if kind is GELU:
        below = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in INPUTS])
        density = np.exp(-(INPUTS**2) / 2) / math.sqrt(2 * math.pi)
        return INPUTS * below, below + INPUTS * density
    gate = 1 / (1 + np.exp(-np.maximum(INPUTS, -700)))
    return INPUTS * gate, gate * (1 + INPUTS * (1 - gate))


def outputs_and_gradient(layer, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    return outputs, tape.gradient(outputs, inputs)


@pytest.mark.parametrize("kind", [GELU, SiLU])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-6), ("bfloat16", 2**-8)]
)
def test_outputs_and_gradient_are_the_functions_own(kind, dtype, tolerance):
    found = outputs_and_gradient(kind(dtype=dtype), tf.cast(INPUTS, dtype))

    rounded = tf.cast(tf.cast(INPUTS, dtype), tf.float64).numpy()
    for ours, theirs in zip(found, exact(kind), strict=True):
        near = np.abs(INPUTS - rounded) * 1.2
        error = np.abs(tf.cast(ours, tf.float64).numpy() - theirs)
        assert (error <= tolerance * (1 + np.abs(theirs)) + near).all()


@pytest.mark.parametrize(("kind", "operation"), LAYERS)
def test_tests_run_keras_own_operation(kind, operation):
    inputs = tf.constant(INPUTS, tf.float32)
    arguments = {"approximate": False} if kind is GELU else {}

    outputs = kind()(inputs)

    np.testing.assert_array_equal(outputs, operation(inputs, **arguments))


@pytest.mark.parametrize("kind", [GELU, SiLU])
@pytest.mark.parametrize("compiled", [False, True])
def test_layers_train_inside_compiled_functions_of_any_batch(kind, compiled):
    layer = kind()

    @tf.function(jit_compile=compiled, reduce_retracing=True)
    def gradient(inputs):
        return outputs_and_gradient(layer, inputs)[1]

    for batch in (2, 3, 4):
        inputs = tf.random.stateless_normal((batch, 5, 5, 3), (1, batch))

        np.testing.assert_allclose(
            gradient(inputs), outputs_and_gradient(layer, inputs)[1], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("kind", [GELU, SiLU])
def test_a_saved_layer_is_loaded(kind, tmp_path):
    model = keras.Sequential([keras.Input((4,)), kind(name="rectifier")])
    model.save(tmp_path / "model.keras")

    again = keras.saving.load_model(tmp_path / "model.keras")

    assert type(again.get_layer("rectifier")) is kind

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import RReLU

DTYPES = ["float16", "bfloat16", "float32", "float64"]
RANDOM = np.random.RandomState(0)


def system_a(**arguments):
    """Return the layer of apache/mxnet@011bde4d: U(0.125, 0.334), 0.2295 at test time."""
    return RReLU(0.125, 0.334, **arguments)


def slopes(layer, shape=(1000, 1000)):
    """Return the slopes of one call in training."""
    return -layer(-tf.ones(shape), training=True).numpy()


def mixed(shape=(64, 50)):
    return RANDOM.randn(*shape).astype(np.float32)


def test_slopes_in_training_are_uniform_between_their_bounds():
    drawn = slopes(system_a(seed=1)).ravel()

    assert 0.125 <= drawn.min() < 0.12501
    assert 0.33399 < drawn.max() <= 0.334
    # The mean of 10^6 draws has the standard deviation 0.209 / sqrt(12 * 10^6) = 6e-5. Each of ten
    # equal parts has 100,000 +- 300.
    assert abs(drawn.mean() - 0.2295) < 5 * 6e-5
    counts, _ = np.histogram(drawn, bins=10, range=(0.125, 0.334))
    assert np.abs(counts - 100_000).max() < 5 * 300


def test_divisors_in_training_are_uniform_between_their_bounds():
    drawn = slopes(RReLU.from_divisors(3, 8, seed=1)).ravel()

    assert 1 / 8 <= drawn.min() < 0.12501
    assert 0.33332 < drawn.max() <= np.float32(1 / 3)
    # E[1 / U(3, 8)] = ln(8/3) / 5 = 0.19617, which is not that of U(1/8, 1/3), 0.22917; the
    # standard deviation of one draw is 0.0563.
    assert abs(drawn.mean() - 0.196166) < 5 * 0.0563e-3
    counts, _ = np.histogram(1 / drawn, bins=10, range=(3, 8))
    assert np.abs(counts - 100_000).max() < 5 * 300


def test_every_element_has_a_slope_of_its_own():
    drawn = slopes(system_a(seed=1), (2, 8, 8, 3)).ravel()

    # 384 draws from 65,536 slopes contain 1.1 equal pairs on average.
    assert len(np.unique(drawn)) > 376


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("make", "bounds"), [(RReLU, (0.125, 0.334)), (RReLU.from_divisors, (3, 8))]
)
def test_a_million_draws_are_those_of_a_uniform_distribution(dtype, make, bounds):
    outputs = make(*bounds, dtype=dtype, seed=1)(-tf.ones((1000, 1000), dtype), training=True)
    drawn = np.sort(-tf.cast(outputs, tf.float64).numpy().ravel())
    uniform = RANDOM.uniform(*bounds, 10**6)
    if make is not RReLU:
        uniform = 1 / uniform
    uniform = np.sort(tf.cast(tf.cast(uniform, dtype), tf.float64).numpy())

    places = np.union1d(drawn, uniform)
    shares = [np.searchsorted(each, places, side="right") / 10**6 for each in (drawn, uniform)]

    # Two-sample Kolmogorov-Smirnov test at level 0.001: 1.95 * sqrt(2 / 10^6).
    assert np.abs(shares[0] - shares[1]).max() < 1.95 * np.sqrt(2 / 10**6)
    assert drawn.mean() == pytest.approx(uniform.mean(), abs=5 * uniform.std() * np.sqrt(2 / 10**6))
    assert drawn.var() == pytest.approx(uniform.var(), rel=0.005)


def test_slopes_may_be_negative_or_nothing():
    for lower, upper in ((-0.5, 0.5), (0.0, 0.0)):
        layer, inputs = RReLU(lower, upper, seed=1), tf.constant(mixed())

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        gradient = tape.gradient(outputs, inputs)

        np.testing.assert_allclose(gradient * inputs, outputs, rtol=1e-5)


def test_every_call_draws_anew():
    layer = system_a(seed=1)

    assert (slopes(layer, (100,)) != slopes(layer, (100,))).all()


def test_the_seed_decides_the_sequence_of_draws():
    one, same, other = (system_a(seed=seed) for seed in (1, 1, 2))

    first = [slopes(one, (100,)) for _ in range(3)]

    np.testing.assert_array_equal(first, [slopes(same, (100,)) for _ in range(3)])
    assert (first[0] != slopes(other, (100,))).all()


def test_without_a_seed_keras_seed_decides():
    draws = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        draws.append(slopes(system_a(), (100,)))

    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (system_a(), [-0.2295, 0.0, 2.0]),
        # The paper's 2x / (l + u): -1 / 5.5.
        (RReLU.from_divisors(3, 8), [-0.1818182, 0.0, 2.0]),
        # PyTorch's and MXNet's own.
        (RReLU(1 / 8, 1 / 3), [-0.2291667, 0.0, 2.0]),
    ],
)
def test_at_test_the_slope_is_the_mean(layer, expected):
    inputs = np.array([-1.0, 0.0, 2.0], np.float32)

    for outputs in (layer(inputs), layer(inputs, training=False)):
        np.testing.assert_allclose(outputs.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_what_is_positive_passes_untouched(training):
    inputs = mixed()

    outputs = system_a()(inputs, training=training).numpy()

    np.testing.assert_array_equal(outputs[inputs > 0], inputs[inputs > 0])
    assert (outputs[inputs < 0] < 0).all()


@pytest.mark.parametrize("make", [RReLU, RReLU.from_divisors])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_goes_back_through_the_same_draws(make, compiled):
    layer = make(0.5, 3, seed=1)

    @tf.function(jit_compile=compiled)
    def outputs_and_gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return outputs, tape.gradient(outputs, inputs)

    inputs = mixed()
    outputs, gradient = outputs_and_gradient(tf.constant(inputs))

    np.testing.assert_allclose(gradient.numpy(), outputs.numpy() / inputs, rtol=1e-5)
    assert len(np.unique(gradient.numpy()[inputs < 0])) > 1000


@pytest.mark.parametrize("compiled", [False, True])
def test_a_compiled_function_draws_anew_at_each_call(compiled):
    layer = system_a(seed=1)
    function = tf.function(lambda x: layer(x, training=True), jit_compile=compiled)

    one, other = (function(-tf.ones((1000,))).numpy() for _ in range(2))

    assert (one != other).all()
    assert (np.minimum(one, other) >= -0.334).all()
    assert (np.maximum(one, other) <= -0.125).all()


@pytest.mark.parametrize("make", [RReLU, RReLU.from_divisors])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_float_type_is_kept(make, dtype):
    layer = make(0.125, 0.334, dtype=dtype, seed=1)
    inputs = tf.cast(mixed(), dtype)

    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
        gradient = tape.gradient(outputs, inputs)

        assert outputs.dtype == gradient.dtype == inputs.dtype
        assert np.isfinite(tf.cast(outputs, tf.float64).numpy()).all()
        assert np.isfinite(tf.cast(gradient, tf.float64).numpy()).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes_have_their_mean_in_every_float_type(dtype):
    outputs = system_a(dtype=dtype, seed=1)(-tf.ones((100, 1000), dtype), training=True)

    drawn = -tf.cast(outputs, tf.float64).numpy()
    # bfloat16 has 8 bits: the bounds round by up to 0.4 %.
    assert 0.1245 <= drawn.min() <= drawn.max() <= 0.3355
    assert drawn.mean() == pytest.approx(0.2295, rel=0.005)


def test_mixed_float16_draws_and_returns_half_precision():
    layer = system_a(dtype="mixed_float16", seed=1)

    outputs = layer(mixed(), training=True)

    assert outputs.dtype == tf.float16
    assert np.isfinite(outputs.numpy()).all()


REPLICAS = """
import tensorflow as tf
from cifar_keras.layers import RReLU

cpus = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = RReLU(0.125, 0.334, seed=1)
inputs = -tf.ones((2000,))

@tf.function
def draw():
    outputs = strategy.run(lambda: layer(inputs, training=True))
    return strategy.experimental_local_results(outputs)

draws = [*draw(), *draw()]
for place, drawn in enumerate(draws):
    assert -0.334 <= drawn.numpy().min() <= drawn.numpy().max() <= -0.125
    for later in draws[place + 1 :]:
        assert (drawn.numpy() == later.numpy()).mean() < 0.01
"""


@pytest.mark.slow
def test_replicas_draw_noise_of_their_own():
    # Two logical CPUs must be configured before TensorFlow starts, so in a new process.
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_a_saved_layer_is_loaded_with_its_bounds(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), system_a(seed=3), RReLU.from_divisors(3, 8, seed=4)]
    )
    path = tmp_path / "model.keras"
    model.save(path)

    loaded = keras.models.load_model(path)

    first, second = loaded.layers
    assert (first.lower, first.upper, first.divisors, first.seed) == (0.125, 0.334, False, 3)
    assert (second.lower, second.upper, second.divisors, second.seed) == (3, 8, True, 4)
    inputs = mixed((5, 4))
    np.testing.assert_array_equal(loaded(inputs).numpy(), model(inputs).numpy())
    outputs = loaded(inputs, training=True).numpy()
    np.testing.assert_array_equal(outputs, model(inputs, training=True).numpy())


def test_masks_and_shapes_pass_through():
    layer = system_a()

    assert layer.compute_output_shape((None, 7, 7, 3)) == (None, 7, 7, 3)
    assert layer.supports_masking


@pytest.mark.parametrize(
    "arguments",
    [
        {"lower": 0.5, "upper": 0.25, "divisors": False},
        {"lower": 0, "upper": 8, "divisors": True},
    ],
)
def test_bounds_that_are_none_are_refused(arguments):
    received = ", ".join(f"{key}={value}" for key, value in arguments.items())
    with pytest.raises(
        ValueError,
        match=r"^`lower` must not exceed `upper`, and divisors must be positive. "
        rf"Received: {received}$",
    ):
        RReLU(**arguments)


def test_the_default_slopes_are_those_of_mxnet_and_pytorch():
    layer = RReLU()

    assert (layer.lower, layer.upper) == (1 / 8, 1 / 3)
    # -(1/8 + 1/3) / 2.
    assert float(layer(np.array([[-1.0]]))[0, 0]) == pytest.approx(-11 / 48)

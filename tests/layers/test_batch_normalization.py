import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import BatchNormalization

SHAPES = [(8, 5, 5, 3), (16, 3)]
# The reference is Keras' own layer, which consists of separate operations.
KERAS = keras.layers.BatchNormalization


def draw(shape, seed=0):
    random = np.random.RandomState(seed)
    return (3 * random.randn(*shape) + np.arange(shape[-1])).astype(np.float32)


def layer_of(kind, shape, **arguments):
    """Return a built layer whose variables differ from their initial values."""
    layer = kind(**({"momentum": 0.9, "epsilon": 1e-3} | arguments))
    layer.build((None, *shape[1:]))
    random = np.random.RandomState(1)
    for variable in layer.weights:
        variable.assign(random.uniform(0.5, 2, variable.shape))
    return layer


def pair(shape, **arguments):
    return layer_of(BatchNormalization, shape, **arguments), layer_of(KERAS, shape, **arguments)


def outputs_and_gradients(layer, inputs, training, **call):
    x = tf.constant(inputs)
    # The plain sum of normalized outputs does not depend on x.
    weights = np.random.RandomState(2).randn(*inputs.shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=training, **call)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float64) * weights)
    variables = [variable.value for variable in layer.trainable_weights]
    gradients = tape.gradient(loss, [x, *variables])
    return [tf.cast(each, tf.float64).numpy() for each in (outputs, *gradients)]


def operations(layer, shape):
    function = tf.function(lambda inputs: layer(inputs, training=True))
    graph = function.get_concrete_function(tf.TensorSpec(shape)).graph
    return {operation.type for operation in graph.get_operations()}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_keras(shape, training):
    ours, theirs = pair(shape)

    values = outputs_and_gradients(ours, draw(shape), training)

    # Outputs, then the gradients of inputs, gamma and beta.
    expected = outputs_and_gradients(theirs, draw(shape), training)
    assert len(values) == 4
    for ours_, theirs_ in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ({"scale": False}, ["beta"]),
        ({"center": False}, ["gamma"]),
        ({"scale": False, "center": False}, []),
        # airbench94.py.
        ({"scale": False, "epsilon": 1e-12}, ["beta"]),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_missing_gamma_is_ones_and_a_missing_beta_zeros(shape, arguments, variables, training):
    ours, theirs = pair(shape, **arguments)

    values = outputs_and_gradients(ours, draw(shape), training)

    # Outputs, then the gradients of the inputs and of the variables the layer has.
    expected = outputs_and_gradients(theirs, draw(shape), training)
    assert [variable.name for variable in ours.trainable_weights] == variables
    assert len(values) == 2 + len(variables)
    for ours_, theirs_ in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=1e-5, atol=1e-5)
    assert "FusedBatchNormV3" in operations(ours, (None, *shape[1:]))
    assert "Rsqrt" not in operations(ours, (None, *shape[1:]))


@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize("shape", SHAPES)
def test_moving_statistics_are_those_of_keras_after_several_steps(shape, arguments):
    ours, theirs = pair(shape, **arguments)

    for step in range(5):
        ours(draw(shape, step), training=True)
        theirs(draw(shape, step), training=True)

    for name in ("moving_mean", "moving_variance"):
        values, expected = getattr(ours, name).numpy(), getattr(theirs, name).numpy()
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


def test_the_moving_variance_takes_up_the_biased_one():
    layer = BatchNormalization(momentum=0.75)

    layer(np.array([[1.0], [3.0]], np.float32), training=True)

    # From 0 towards mean 2, from 1 towards variance 1 (the unbiased one is 2), by a quarter.
    assert layer.moving_mean.numpy() == pytest.approx([0.5])
    assert layer.moving_variance.numpy() == pytest.approx([1.0])


# The fused kernel, without gamma too, then Keras' own code: other axes and ranks, float64,
# synchronized.
@pytest.mark.parametrize(
    ("shape", "axes", "arguments"),
    [
        ((4, 2, 3, 5), (0, 1, 2), {}),
        ((6, 5), (0,), {}),
        ((4, 2, 3, 5), (0, 1, 2), {"scale": False}),
        ((4, 5, 2, 3), (0, 2, 3), {"axis": 1}),
        ((4, 3, 5), (0, 1), {}),
        ((4, 2, 3, 5), (0, 1, 2), {"dtype": "float64"}),
        ((4, 2, 3, 5), (0, 1, 2), {"synchronized": True}),
    ],
)
def test_an_unbiased_moving_variance_is_pytorchs(shape, axes, arguments):
    layer = BatchNormalization(momentum=0.9, epsilon=1e-5, unbiased=True, **arguments)
    batches = [np.random.RandomState(step).randn(*shape) * 3 + 1 for step in range(3)]

    for batch in batches:
        outputs = np.asarray(layer(batch.astype(np.float32), training=True))

    mean, variance = 0, 1
    for batch in batches:
        mean = 0.9 * mean + 0.1 * batch.mean(axis=axes)
        variance = 0.9 * variance + 0.1 * batch.var(axis=axes, ddof=1)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-5)
    # The batch itself is normalized by the biased variance.
    last = batches[-1]
    centered = last - last.mean(axis=axes, keepdims=True)
    expected = centered / np.sqrt(last.var(axis=axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_the_unbiased_variance_counts_the_places_that_are_not_masked():
    layer = BatchNormalization(momentum=0.9, unbiased=True)
    inputs = np.array([[[1.0], [3.0], [100.0]]], np.float32)

    layer(inputs, training=True, mask=np.array([[True, True, False]]))

    # 0.9 of 1 and 0.1 of 2, the unbiased variance of 1 and 3.
    np.testing.assert_allclose(layer.moving_variance.numpy(), [1.1], rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"scale": False}])
def test_the_unbiased_variance_of_one_value_is_zero(arguments):
    layer = BatchNormalization(momentum=0.9, unbiased=True, **arguments)

    layer(np.full((1, 3), 5.0, np.float32), training=True)

    np.testing.assert_allclose(layer.moving_variance.numpy(), np.full(3, 0.9), rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"scale": False}])
def test_the_unbiased_variance_is_kept_in_a_traced_function(arguments):
    layer = BatchNormalization(momentum=0.0, unbiased=True, **arguments)
    layer.build((None, 2))
    function = tf.function(lambda inputs: layer(inputs, training=True))

    function(tf.constant([[1.0, 0.0], [3.0, 4.0]]))

    np.testing.assert_allclose(layer.moving_variance.numpy(), [2, 8], rtol=1e-6)


def test_unbiased_is_saved_with_the_layer():
    layer = BatchNormalization(unbiased=True)

    assert BatchNormalization.from_config(layer.get_config()).unbiased
    assert not BatchNormalization().unbiased


@pytest.mark.skipif(not hasattr(KERAS(), "renorm"), reason="an older Keras")
def test_unbiased_and_renorm_are_refused_together():
    with pytest.raises(
        ValueError,
        match=r"^`unbiased` is not defined under `renorm`. Received: unbiased=True, renorm=True$",
    ):
        BatchNormalization(unbiased=True, renorm=True)


def test_inference_leaves_the_moving_statistics():
    layer = layer_of(BatchNormalization, (8, 3))
    before = [variable.numpy() for variable in layer.weights]

    layer(draw((8, 3)), training=False)

    np.testing.assert_array_equal([variable.numpy() for variable in layer.weights], before)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_frozen_layer_uses_its_moving_statistics(shape):
    layer = layer_of(BatchNormalization, shape)
    layer.trainable = False
    before = layer.moving_mean.numpy()

    outputs = layer(draw(shape), training=True).numpy()

    np.testing.assert_array_equal(outputs, layer(draw(shape), training=False).numpy())
    np.testing.assert_array_equal(layer.moving_mean.numpy(), before)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_one_kernel(shape):
    layer = layer_of(BatchNormalization, shape)

    assert "FusedBatchNormV3" in operations(layer, (None, *shape[1:]))
    assert "Rsqrt" not in operations(layer, (None, *shape[1:]))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_batches_of_any_size_pass_through_one_traced_function(size):
    layer = BatchNormalization(momentum=0.0, epsilon=1e-3)
    layer.build((None, 2, 2, 3))
    function = tf.function(
        lambda inputs: layer(inputs, training=True),
        input_signature=[tf.TensorSpec((None, 2, 2, 3))],
    )
    inputs = draw((size, 2, 2, 3))

    outputs = function(inputs).numpy()

    mean, variance = inputs.mean(axis=(0, 1, 2)), inputs.var(axis=(0, 1, 2))
    np.testing.assert_allclose(
        outputs, (inputs - mean) / np.sqrt(variance + 1e-3), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-5)


def test_one_row_has_no_variance_and_leaves_no_nan():
    layer = BatchNormalization(momentum=0.9)

    outputs = layer(np.full((1, 3), 5.0, np.float32), training=True).numpy()

    np.testing.assert_array_equal(outputs, np.zeros((1, 3)))
    np.testing.assert_allclose(layer.moving_variance.numpy(), np.full(3, 0.9))


# apache/mxnet@011bde4d: MXNet of September 2015 had 1e-10.
@pytest.mark.parametrize("training", [True, False])
def test_an_epsilon_of_1e_10_is_not_rounded_up(training):
    layer = BatchNormalization(momentum=0.0, epsilon=1e-10)
    inputs = 1e-5 * np.random.RandomState(0).randn(64, 2).astype(np.float32)
    layer(inputs, training=True)

    outputs = layer(inputs, training=training).numpy()

    exact = inputs.astype(np.float64)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-10)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_on_a_cpu_the_kernel_with_an_epsilon_of_1e_10_is_keras_own_arithmetic():
    ours, theirs = pair((8, 5, 5, 3), epsilon=1e-10)

    for training in (True, False):
        values = outputs_and_gradients(ours, draw((8, 5, 5, 3)), training)

        expected = outputs_and_gradients(theirs, draw((8, 5, 5, 3)), training)
        for ours_, theirs_ in zip(values, expected, strict=True):
            np.testing.assert_allclose(ours_, theirs_, rtol=1e-4, atol=1e-5)
    assert "FusedBatchNormV3" in operations(ours, (8, 5, 5, 3))


@pytest.mark.parametrize(
    ("gpus", "epsilon", "fused"),
    [
        ([], 1e-10, True),
        (["GPU:0"], 1e-10, False),
        (["GPU:0"], 1e-5, False),
        (["GPU:0"], 2e-5, True),
    ],
)
def test_an_epsilon_that_cudnn_refuses_is_left_to_keras(monkeypatch, gpus, epsilon, fused):
    layer = layer_of(BatchNormalization, (8, 5, 5, 3), epsilon=epsilon)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus)

    kinds = operations(layer, (8, 5, 5, 3))

    assert ("FusedBatchNormV3" in kinds) == fused


def test_float64_is_computed_in_float64():
    layer = BatchNormalization(momentum=0.0, epsilon=1e-3, dtype="float64")
    inputs = np.random.RandomState(0).randn(8, 2, 2, 3)

    outputs = layer(inputs, training=True).numpy()

    mean, variance = inputs.mean(axis=(0, 1, 2)), inputs.var(axis=(0, 1, 2))
    assert outputs.dtype == np.float64
    np.testing.assert_allclose(outputs, (inputs - mean) / np.sqrt(variance + 1e-3), rtol=1e-12)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_mixed_float16_keeps_variables_and_statistics_in_float32(shape):
    layer = layer_of(BatchNormalization, shape, dtype="mixed_float16", momentum=0.0)
    # The variance, about 360,000, is beyond float16.
    inputs = (200 * draw(shape)).astype(np.float16)

    outputs = layer(inputs, training=True)

    exact = inputs.astype(np.float64)
    axes = tuple(range(len(shape) - 1))
    assert outputs.dtype == tf.float16
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    np.testing.assert_allclose(layer.moving_mean.numpy(), exact.mean(axis=axes), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), exact.var(axis=axes), rtol=1e-5)
    assert layer.moving_variance.numpy().min() > 65504


def test_mixed_float16_trains_within_half_precision_of_keras():
    ours, theirs = pair((8, 5, 5, 3), dtype="mixed_float16")
    inputs = draw((8, 5, 5, 3)).astype(np.float16)

    values = outputs_and_gradients(ours, inputs, True)

    expected = outputs_and_gradients(theirs, inputs, True)
    for ours_, theirs_ in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=2e-3, atol=5e-3)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((8, 2, 2, 3), {"axis": 1}),
        ((8, 2, 2, 3), {"dtype": "float16"}),
        ((8, 4, 3), {}),
        ((8, 2, 2, 2, 3), {}),
        pytest.param(
            (8, 2, 2, 3),
            {"renorm": True},
            marks=pytest.mark.skipif(not hasattr(KERAS(), "renorm"), reason="an older Keras"),
        ),
    ],
)
def test_what_the_kernel_cannot_do_is_done_as_in_keras(shape, arguments):
    ours, theirs = pair(shape, **arguments)

    values = outputs_and_gradients(ours, draw(shape), True)

    expected = outputs_and_gradients(theirs, draw(shape), True)
    for ours_, theirs_ in zip(values, expected, strict=True):
        np.testing.assert_array_equal(ours_, theirs_)
    np.testing.assert_array_equal(ours.moving_variance.numpy(), theirs.moving_variance.numpy())


def test_masked_places_are_left_out_as_in_keras():
    ours, theirs = pair((8, 2, 2, 3))
    mask = np.random.RandomState(3).rand(8, 2, 2) < 0.5

    values = outputs_and_gradients(ours, draw((8, 2, 2, 3)), True, mask=mask)

    expected = outputs_and_gradients(theirs, draw((8, 2, 2, 3)), True, mask=mask)
    for ours_, theirs_ in zip(values, expected, strict=True):
        np.testing.assert_array_equal(ours_, theirs_)


# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_is_loaded_with_its_statistics(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layer_of(BatchNormalization, (8, 4, 4, 3), momentum=0.8, epsilon=1e-5),
        ]
    )
    path = tmp_path / "model.keras"
    model.save(path)

    loaded = keras.models.load_model(path)

    layer = loaded.layers[0]
    assert isinstance(layer, BatchNormalization)
    assert (layer.momentum, layer.epsilon) == (0.8, 1e-5)
    inputs = draw((8, 4, 4, 3))
    np.testing.assert_array_equal(loaded(inputs).numpy(), model(inputs).numpy())

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import Conv2D

RANDOM = np.random.RandomState(0)
# (height, width, kernel): squares and rectangles, odd and even windows, down to one pixel.
SMALL = [(1, 1, 3), (2, 2, 3), (3, 3, 3), (2, 3, 3), (3, 1, 3), (2, 2, 2), (1, 2, 2), (4, 5, 5)]


def pair(kernel, **arguments):
    """Return our layer and Keras', with the same weights, from 3 channels to 4."""
    made = [
        kind(4, kernel, **{"padding": "same", "dtype": "float64"} | arguments)
        for kind in (Conv2D, keras.layers.Conv2D)
    ]
    for layer in made:
        layer.build((None, None, None, 3))
    made[1].set_weights([RANDOM.randn(*weight.shape) for weight in made[0].get_weights()])
    made[0].set_weights(made[1].get_weights())
    return made


def maps_and_gradients(layer, images, factors):
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = layer(images)
        total = tf.reduce_sum(maps * factors)
    return [maps, *tape.gradient(total, [images, *(each.value for each in layer.weights)])]


def operations(layer, *shape, training=False):
    traced = tf.function(lambda images: layer(images, training=training)).get_concrete_function(
        tf.TensorSpec(shape, layer.compute_dtype)
    )
    return {operation.type for operation in traced.graph.get_operations()}


def takes_parts(layer, *shape, training=True):
    """Return whether the layer loops over parts of the batch, which Keras' own never does."""
    return any("While" in each for each in operations(layer, *shape, training=training))


@pytest.mark.parametrize(("height", "width", "kernel"), SMALL)
@pytest.mark.parametrize("use_bias", [False, True])
def test_on_small_images_maps_and_gradients_are_keras_own(height, width, kernel, use_bias):
    ours, theirs = pair(kernel, use_bias=use_bias)
    images = tf.constant(RANDOM.randn(5, height, width, 3))
    factors = RANDOM.randn(5, height, width, 4)

    found = maps_and_gradients(ours, images, factors)

    for ours_, theirs_ in zip(found, maps_and_gradients(theirs, images, factors), strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("height", "width", "kernel"), SMALL)
def test_small_images_take_matrix_products_instead_of_a_convolution(height, width, kernel):
    ours, _ = pair(kernel)

    found = operations(ours, None, height, width, 3)

    assert "MatMul" in found
    assert "Conv2D" not in found


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((None, 4, 4, 3), {}),
        ((None, 2, 4, 3), {}),
        ((None, None, 2, 3), {}),
        ((None, 2, 2, 3), {"strides": 2}),
        ((None, 3, 3, 3), {"padding": "valid"}),
        ((None, 3, 3, 3), {"dilation_rate": 2}),
    ],
)
def test_elsewhere_keras_own_convolution_runs(shape, arguments):
    ours, _ = pair(3, **arguments)

    assert "Conv2D" in operations(ours, *shape)


def test_a_kernel_of_one_pixel_is_left_to_keras():
    ours, _ = pair(1)

    assert "Conv2D" in operations(ours, None, 1, 1, 3, training=True)


def test_a_network_of_any_image_size_is_built_and_saved(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, Conv2D(4, 3, padding="same", name="conv")(inputs))
    images = RANDOM.randn(2, 2, 2, 3).astype(np.float32)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(again(images), model(images))
    assert type(again.get_layer("conv")) is Conv2D


def test_mixed_precision_gives_maps_of_the_compute_type():
    layer = Conv2D(4, 3, padding="same", dtype="mixed_bfloat16")

    maps = layer(tf.ones((1, 2, 2, 3)))

    assert maps.dtype == tf.bfloat16


def test_the_layer_takes_fewer_products_in_training_alone():
    layer = Conv2D(24, 3, padding="same")

    assert takes_parts(layer, None, 8, 8, 24)
    assert not takes_parts(layer, None, 8, 8, 24, training=False)


def test_the_layers_maps_are_the_same_in_training_and_tests():
    layer = Conv2D(24, 3, padding="same", bias_initializer="normal", dtype="float64")
    images = tf.constant(RANDOM.randn(3, 8, 8, 24))

    maps = layer(images, training=True)

    np.testing.assert_allclose(maps, layer(images, training=False), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((None, 8, 8, 23), {}),
        ((None, 8, 8, 24), {"filters": 23}),
        ((None, 8, 8, 24), {"kernel_size": 5}),
        ((None, 8, 3, 24), {}),
        ((None, None, 8, 24), {}),
        ((None, 8, 8, 24), {"strides": 2}),
        ((None, 8, 8, 24), {"padding": "valid"}),
        ((None, 8, 8, 24), {"dilation_rate": 2}),
        ((None, 8, 8, 48), {"groups": 2}),
        ((None, 8, 8, 24), {"dtype": "mixed_bfloat16"}),
    ],
)
def test_elsewhere_training_takes_keras_own_convolution(shape, arguments):
    layer = Conv2D(**{"filters": 24, "kernel_size": 3, "padding": "same"} | arguments)

    assert not takes_parts(layer, *shape)


def test_a_step_that_xla_compiles_takes_keras_own_convolution():
    layer = Conv2D(24, 3, padding="same")
    images = tf.constant(RANDOM.randn(150, 16, 16, 24), "float32")

    maps = tf.function(lambda images: layer(images, training=True), jit_compile=True)(images)

    np.testing.assert_allclose(maps, layer(images, training=False), rtol=1e-4, atol=1e-4)


# (side, channels, filters, kernel): one product per position, one per tap, one for a 1x1 kernel,
# and oneDNN's own gradient.
BFLOAT16 = [(2, 40, 48, 3), (4, 32, 40, 3), (4, 40, 32, 2), (3, 8, 16, 5)]
BFLOAT16 += [(7, 96, 128, 3), (9, 128, 96, 2), (8, 96, 96, 5), (8, 48, 32, 1), (16, 32, 32, 3)]


@pytest.mark.parametrize(("side", "channels", "filters", "kernel"), BFLOAT16)
@pytest.mark.parametrize("use_bias", [False, True])
def test_in_bfloat16_maps_and_gradients_are_those_of_float64_but_for_rounding(
    side, channels, filters, kernel, use_bias
):
    half, exact = (
        kind(filters, kernel, padding="same", use_bias=use_bias, dtype=dtype)
        for kind, dtype in ((Conv2D, "mixed_bfloat16"), (keras.layers.Conv2D, "float64"))
    )
    images = tf.cast(RANDOM.randn(20, side, side, channels), tf.bfloat16)
    factors = tf.cast(RANDOM.randn(20, side, side, filters), tf.bfloat16)
    half.build(images.shape)
    exact.build(images.shape)
    half.set_weights([tf.cast(RANDOM.randn(*w.shape), tf.bfloat16) for w in half.weights])
    exact.set_weights(half.get_weights())

    found = gradients_of(half, images, factors)
    expected = gradients_of(exact, tf.cast(images, tf.float64), tf.cast(factors, tf.float64))

    for ours, theirs in zip(found, expected, strict=True):
        # Products and sums are exact or float32. Only the result is rounded to 8 bits.
        error = tf.cast(ours, tf.float64) - theirs
        assert np.sqrt(np.mean(error**2) / np.mean(theirs**2)) < 0.0025


@tf.function
def gradients_of(layer, images, factors):
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = layer(images, training=True)
    sources = [images, *(each.value for each in layer.weights)]
    return [maps, *tape.gradient(maps, sources, output_gradients=factors)]


@pytest.mark.parametrize(
    ("shape", "arguments", "kept"),
    [
        ((None, 4, 4, 32), {}, set()),
        ((None, 7, 7, 96), {"filters": 128}, {"Conv2D", "Conv2DBackpropInput"}),
        ((None, 32, 32, 16), {"kernel_size": 1}, {"Conv2D", "Conv2DBackpropInput"}),
        ((None, 7, 7, 95), {}, EVERY := {"Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"}),
        ((None, 10, 10, 128), {"filters": 128}, EVERY),
        ((None, 7, 7, 128), {"filters": 128, "strides": 2}, EVERY),
        ((None, 7, 7, 128), {"filters": 128, "padding": "valid"}, EVERY),
    ],
)
def test_in_bfloat16_products_take_the_place_of_what_onednn_does_slowly(shape, arguments, kept):
    layer = Conv2D(
        **{"filters": 48, "kernel_size": 3, "padding": "same", "dtype": "mixed_bfloat16"}
        | arguments
    )
    layer.build(shape)

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            maps = layer(images, training=True)
        return tape.gradient(maps, [images, layer.kernel.value])

    graph = step.get_concrete_function(tf.TensorSpec(shape, tf.bfloat16)).graph
    found = {operation.type for operation in graph.get_operations()}

    assert {each for each in found if each.startswith("Conv2D")} == kept


def test_in_bfloat16_the_gradient_of_a_bias_is_summed_in_float32():
    layer = Conv2D(4, 1, padding="same", dtype="mixed_bfloat16")
    images = tf.ones((64, 32, 32, 2))
    with tf.GradientTape() as tape:
        maps = layer(images, training=True)
    ones = tf.ones_like(maps)

    gradient = tape.gradient(maps, layer.bias.value, output_gradients=ones)

    # 65,536 ones: a sum in bfloat16 stops at 256, where adding 1 changes nothing.
    np.testing.assert_array_equal(gradient, 65536)

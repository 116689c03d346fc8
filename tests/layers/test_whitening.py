import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import Whitening
from cifar_keras.layers.whitening import second_moment, whitening_directions


def photographs(count=20, seed=0, mean=0.3):
    """Return images whose neighboring pixels and channels correlate, as in photographs."""
    random = np.random.RandomState(seed)
    noise = random.randn(count, 9, 9, 3)
    smooth = noise[:, :-1, :-1] + noise[:, 1:, :-1] + noise[:, :-1, 1:] + 0.5 * noise[:, 1:, 1:]
    mixing = np.array([[1, 0.5, 0.2], [0, 0.7, 0.3], [0, 0, 0.4]])
    return (smooth @ mixing + mean).astype(np.float32)


def patches_of(images):
    """Return all patches (N, 12), values in the order row, column, channel, by loops."""
    places = range(images.shape[1] - 1)
    return np.array(
        [
            image[y : y + 2, x : x + 2].ravel()
            for image in images.astype(np.float64)
            for y in places
            for x in places
        ]
    )


def adapted(images, epsilon=0.0, **arguments):
    layer = Whitening(epsilon, **({"centered": False} | arguments))
    layer.adapt(images)
    return layer


def rows_of(layer):
    """Return the maps of a layer as rows (24, 12)."""
    kernel = layer.kernel.numpy()
    return kernel.reshape(12, 24).T


# 130 images take more than one chunk.
@pytest.mark.parametrize("count", [3, 100, 130])
def test_the_second_moment_is_the_mean_over_all_patches(count):
    images = photographs(count)
    patches = patches_of(images)

    np.testing.assert_allclose(
        second_moment(images, centered=False), patches.T @ patches / len(patches), rtol=1e-10
    )
    np.testing.assert_allclose(
        second_moment(images, centered=True), np.cov(patches.T, bias=True), rtol=1e-8
    )


def test_responses_have_the_identity_as_second_moment():
    images = photographs()

    responses = adapted(images)(images).numpy().reshape(-1, 24).astype(np.float64)

    moment = responses[:, :12].T @ responses[:, :12] / len(responses)
    np.testing.assert_allclose(moment, np.eye(12), atol=1e-4)
    np.testing.assert_allclose(responses[:, 12:], -responses[:, :12], atol=1e-6)


def test_centered_responses_have_the_identity_as_covariance_and_keep_their_mean():
    images = photographs(mean=2.0)

    responses = adapted(images, centered=True)(images).numpy().reshape(-1, 24)

    np.testing.assert_allclose(np.cov(responses[:, :12].T, bias=True), np.eye(12), atol=2e-4)
    assert np.abs(responses.mean(axis=0)).max() > 1


def test_centring_makes_no_difference_where_the_mean_is_zero():
    images = photographs(mean=0.0)
    images = np.concatenate([images, -images])

    np.testing.assert_allclose(
        rows_of(adapted(images, centered=True)), rows_of(adapted(images)), rtol=1e-4, atol=1e-5
    )


def test_the_largest_eigenvalue_comes_first():
    images = photographs()

    rows = rows_of(adapted(images))[:12]

    # v / sqrt(e) has the norm e ** -0.5.
    norms = np.linalg.norm(rows, axis=1)
    assert (np.diff(norms) > 0).all()
    np.testing.assert_allclose(
        norms[::-1] ** -2.0, np.linalg.eigvalsh(second_moment(images, False)), rtol=1e-4
    )


def test_the_last_twelve_maps_are_the_negatives_of_the_first():
    rows = rows_of(adapted(photographs(), epsilon=5e-4))

    np.testing.assert_array_equal(rows[12:], -rows[:12])
    assert np.linalg.matrix_rank(rows[:12]) == 12


def test_epsilon_is_added_to_the_eigenvalues():
    directions = whitening_directions(np.diag([0.0, 3.0, 8.0]), epsilon=1.0)

    # The axes, divided by sqrt(8 + 1), sqrt(3 + 1) and sqrt(0 + 1).
    np.testing.assert_allclose(directions, [[0, 0, 1 / 3], [0, 1 / 2, 0], [1, 0, 0]], atol=1e-15)


# Eigenvectors (1, -1, 1, -1) / 2 of 4 and its orthogonal ones. The sign must not depend on which of
# four equal components rounding makes the largest.
@pytest.mark.parametrize("nudge", [0.0, 1e-12, -1e-12])
def test_signs_are_fixed_by_the_first_large_component(nudge):
    vector = np.array([0.2, -1, 1 + nudge, -1]) / np.sqrt(3.04)
    moment = 4 * np.outer(vector, vector) + np.diag([1e-3, 0, 0, 0])

    direction = whitening_directions(moment, epsilon=0.5)[0]

    # The 0.2 is small; the first large one is made positive.
    np.testing.assert_allclose(np.sign(direction), [-1, 1, -1, 1])


def test_the_order_of_a_patchs_values_is_row_column_channel():
    images = np.zeros((1, 2, 2, 3), np.float32)
    images[0, 1, 0, 2] = 1

    kernel = adapted(images, epsilon=1.0).kernel.numpy()

    # One patch, whose only value is in row 1, column 0, channel 2; its eigenvalue is 1.
    assert kernel[1, 0, 2, 0] == pytest.approx(0.5**0.5)
    assert np.abs(kernel[..., 0]).sum() == pytest.approx(0.5**0.5)


def test_it_is_a_valid_convolution_with_a_bias():
    layer = adapted(photographs(), epsilon=5e-4, bias_initializer=keras.initializers.Constant(0.5))
    images = photographs(2, seed=1)

    outputs = layer(images).numpy()

    assert outputs.shape == (2, 7, 7, 24)
    assert layer.compute_output_shape((None, 8, 8, 3)) == (None, 7, 7, 24)
    assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 24)
    expected = patches_of(images) @ layer.kernel.numpy().reshape(12, 24) + 0.5
    np.testing.assert_allclose(outputs.reshape(-1, 24), expected, rtol=1e-4, atol=1e-4)


def test_before_it_is_adapted_the_kernel_is_zero_and_the_bias_as_told():
    layer = Whitening(5e-4, centered=False)

    assert not layer(photographs(1)).numpy().any()
    assert (layer.kernel.shape, layer.bias.shape) == ((2, 2, 3, 24), (24,))


@pytest.mark.parametrize("refrozen", [False, True])
def test_training_moves_the_bias_and_not_the_kernel(refrozen):
    images = photographs()
    layer = Whitening(5e-4, centered=False, name="whitening")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layer,
            keras.layers.Activation("gelu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    layer.adapt(images)
    if refrozen:
        layer.trainable = False
        layer.trainable = True
    before = [np.copy(variable.numpy()) for variable in (layer.kernel, layer.bias)]
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(True))

    model.fit(images, np.arange(20) % 2, verbose=0)

    np.testing.assert_array_equal(layer.kernel.numpy(), before[0])
    assert (layer.bias.numpy() != before[1]).any()
    assert [variable.name for variable in layer.trainable_variables] == ["bias"]


def test_the_same_images_give_the_same_kernel():
    images = photographs()

    np.testing.assert_array_equal(rows_of(adapted(images)), rows_of(adapted(images.copy())))
    assert (rows_of(adapted(images)) != rows_of(adapted(photographs(seed=1)))).any()


def test_a_saved_layer_is_loaded_with_its_kernel(tmp_path):
    layer = adapted(photographs(), epsilon=5e-4, centered=True, bias_initializer="ones")
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    path = tmp_path / "model.keras"
    model.save(path)

    loaded = keras.models.load_model(path)

    [again] = loaded.layers
    assert (again.epsilon, again.centered) == (5e-4, True)
    assert isinstance(again.bias_initializer, keras.initializers.Ones)
    images = photographs(2, seed=1)
    np.testing.assert_array_equal(loaded(images).numpy(), model(images).numpy())


def test_mixed_float16_returns_half_precision_and_keeps_its_kernel():
    layer = Whitening(5e-4, centered=False, dtype="mixed_float16")
    layer.adapt(photographs())

    outputs = layer(photographs(2))

    assert outputs.dtype == tf.float16
    assert layer.kernel.dtype == "float32"
    np.testing.assert_allclose(
        outputs.numpy(), adapted(photographs(), 5e-4)(photographs(2)).numpy(), rtol=0.02, atol=0.05
    )


def test_a_number_of_channels_that_is_not_known_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^channels must be known. Received: input_shape=\(None, 8, 8, None\)$",
    ):
        Whitening(5e-4, centered=False).build((None, 8, 8, None))

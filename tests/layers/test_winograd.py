import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers.winograd import Side, best_side, matrices, winograd

RANDOM = np.random.RandomState(0)
TILES = [(outputs, window) for window in (2, 3) for outputs in range(2, 8 - window)]


def with_gradients(maps):
    """Return `maps(images, kernel)` and its gradients, for given gradients of the maps."""

    def found(images, kernel, factors):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            made = maps(images, kernel)
            total = tf.reduce_sum(made * factors)
        return [made, *tape.gradient(total, [images, kernel])]

    return found


OURS = tf.function(with_gradients(winograd))
THEIRS = tf.function(with_gradients(lambda images, kernel: tf.nn.conv2d(images, kernel, 1, "SAME")))


def arguments(batch, shape, kernel, channels=2, filters=3):
    shapes = (batch, *shape, channels), (*kernel, channels, filters), (batch, *shape, filters)
    return [tf.constant(RANDOM.randn(*each)) for each in shapes]


@pytest.mark.parametrize(("outputs", "window"), TILES)
def test_minimal_filtering_is_the_correlation(outputs, window):
    ours = matrices(outputs, window)
    weights, pixels = RANDOM.randn(window), RANDOM.randn(outputs + window - 1)

    found = ours.maps @ ((ours.kernel @ weights) * (ours.images @ pixels))

    np.testing.assert_allclose(found, np.correlate(pixels, weights), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("pixels", "window", "outputs"),
    [
        (32, 3, 4),  # 8 tiles of 6 products; tiles of 3 would take 11 of 5
        (9, 3, 3),  # 3 of 5; tiles of 4 would take 3 of 6
        (5, 3, 3),  # 2 of 5
        (4, 3, 4),
        (31, 2, 4),  # 8 of 5; tiles of 5 would take 7 of 6
        (10, 2, 5),  # 2 of 6
    ],
)
def test_tiles_are_those_with_the_fewest_products(pixels, window, outputs):
    assert best_side(pixels, window) == Side(pixels, window, outputs)


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((8, 8), (3, 3)),
        ((7, 5), (3, 3)),
        pytest.param((4, 9), (3, 3), marks=pytest.mark.slow),
        pytest.param((31, 6), (2, 2), marks=pytest.mark.slow),
        ((6, 5), (2, 3)),
    ],
)
def test_maps_and_gradients_are_those_of_the_convolution(shape, kernel):
    given = arguments(5, shape, kernel)

    for ours, theirs in zip(OURS(*given), THEIRS(*given), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)


def test_a_large_batch_is_cut_in_parts_the_last_of_them_smaller():
    given = arguments(150, (16, 16), (3, 3))  # 16 tiles per image: 32 images per part

    for ours, theirs in zip(OURS(*given), THEIRS(*given), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)


def test_a_replica_without_images_has_no_maps_and_a_gradient_of_zero():
    given = arguments(0, (8, 8), (3, 3))

    maps, of_images, of_kernel = OURS(*given)

    assert maps.shape == (0, 8, 8, 3)
    assert of_images.shape == (0, 8, 8, 2)
    assert not np.any(of_kernel)


def test_a_batch_of_unknown_size_gives_images_of_known_size():
    traced = tf.function(winograd).get_concrete_function(
        tf.TensorSpec((None, 8, 8, 2)), tf.TensorSpec((3, 3, 2, 3))
    )

    assert traced.output_shapes.as_list() == [None, 8, 8, 3]


def test_float32_rounds_to_some_millionths():
    given = arguments(16, (8, 8), (3, 3), 64, 64)
    single = [tf.cast(each, "float32") for each in given]

    for ours, exact in zip(OURS(*single), THEIRS(*given), strict=True):
        error = np.sqrt(np.mean(np.square(ours.numpy() - exact)) / np.mean(np.square(exact)))
        assert error < 3e-6


def test_the_same_arguments_give_the_same_bits():
    given = arguments(150, (16, 16), (3, 3))
    first = OURS(*given)

    for _ in range(3):
        for ours, again in zip(OURS(*given), first, strict=True):
            np.testing.assert_array_equal(ours, again)

import keras
import numpy as np
import pytest

from cifar_keras.layers.activation import activation

INPUTS = np.array([-8.0, -2.0, 0.0, 3.0], np.float32).reshape(1, 2, 2, 1)


# Outputs at test time, where random slopes are the mean of their bounds.
@pytest.mark.parametrize(
    ("kind", "numbers", "expected"),
    [
        ("relu", [], [0, 0, 0, 3]),
        ("leaky", [0.25], [-2, -0.5, 0, 3]),
        ("prelu", [0.5], [-4, -1, 0, 3]),
        ("rrelu", [0.125, 0.375], [-2, -0.5, 0, 3]),
        ("rrelu_divisors", [3, 5], [-2, -0.5, 0, 3]),
    ],
)
def test_what_is_negative_is_scaled_by_the_numbers(kind, numbers, expected):
    layer = activation(kind, numbers, "act")

    outputs = np.asarray(layer(INPUTS, **({"training": False} if "rrelu" in kind else {})))

    assert layer.name == "act"
    np.testing.assert_allclose(outputs.ravel(), expected, rtol=1e-6)


def test_prelu_learns_one_slope_for_each_channel():
    layer = activation("prelu", [0.25], "act")
    layer.build((None, 4, 6, 5))

    [slopes] = layer.trainable_weights

    assert slopes.shape == (1, 1, 5)
    np.testing.assert_array_equal(np.asarray(slopes.value), np.full((1, 1, 5), 0.25))


@pytest.mark.parametrize(
    ("kind", "numbers", "low", "high", "mean"),
    [
        # The mean of U(0.125, 0.334), and that of 1 / U(3, 8): ln(8 / 3) / 5.
        ("rrelu", [0.125, 0.334], 0.125, 0.334, 0.2295),
        ("rrelu_divisors", [3, 8], 0.125, 0.33333, 0.19617),
    ],
)
def test_random_slopes_lie_within_their_bounds(kind, numbers, low, high, mean):
    keras.utils.set_random_seed(1)
    layer = activation(kind, numbers, "act")

    slopes = -np.asarray(layer(np.full((1, 100, 100, 4), -1, np.float32), training=True))

    # 40,000 draws, of a standard deviation below 0.061.
    assert low - 1e-4 <= slopes.min() < low + 1e-3
    assert high - 1e-3 < slopes.max() <= high + 1e-4
    assert abs(slopes.mean() - mean) < 5 * 0.061 / 200


@pytest.mark.parametrize(
    ("kind", "numbers", "message"),
    [
        (
            "elu",
            [],
            r"`activation` must be one of relu, leaky, prelu, rrelu, rrelu_divisors. "
            r"Received: activation='elu'",
        ),
        (
            "relu",
            [0.1],
            r"`activation_numbers` of relu are: none. Received: activation_numbers=\[0.1\]",
        ),
        (
            "rrelu",
            [],
            r"`activation_numbers` of rrelu are: lowest slope, highest slope. "
            r"Received: activation_numbers=\[\]",
        ),
    ],
)
def test_an_unknown_name_or_another_number_of_numbers_is_refused(kind, numbers, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        activation(kind, numbers, "act")

import keras
import numpy as np
import pytest

from cifar_keras.initializers import INITIALIZERS, Identity, initializer


def kernel(shape):
    return np.asarray(Identity()(shape))


def test_kaiming_normal_is_a_normal_of_variance_2_over_fan_in():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((3, 3, 64, 256)))

    # 147,456 draws of sqrt(2 / (3 * 3 * 64)) = 0.058926; five deviations each.
    count, deviation = 147_456, 0.058926
    assert abs(values.mean()) < 5 * deviation / count**0.5
    assert abs(values.std() - deviation) < 5 * deviation / (2 * count) ** 0.5


def test_kaiming_normal_is_not_truncated():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((3, 3, 64, 256)))

    # Keras' he_normal has nothing beyond 2 / 0.87962566 = 2.27 of these deviations; a normal has
    # 1.242 % beyond 2.5, here 1,831 +- 43.
    beyond = np.sum(np.abs(values) > 2.5 * 0.058926)
    assert 1831 - 5 * 43 < beyond < 1831 + 5 * 43


def test_the_fan_in_of_a_dense_kernel_is_its_inputs():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((64, 4096)))

    # sqrt(2 / 64), as SPEC C.1 has it for the last layer.
    assert values.std() == pytest.approx(0.176777, rel=0.01)


def test_each_layer_draws_its_own_values():
    keras.utils.set_random_seed(1)
    one, other = initializer("kaiming_normal"), initializer("kaiming_normal")

    assert (np.asarray(one((8, 8))) != np.asarray(other((8, 8)))).all()


def test_the_seed_of_the_run_decides_the_values():
    draws = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        draws.append(np.asarray(initializer("kaiming_normal")((8, 8))))

    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


def test_a_1x1_identity_that_expands_leaves_the_new_maps_at_zero():
    assert kernel((1, 1, 2, 3)).tolist() == [[[[1, 0, 0], [0, 1, 0]]]]


def test_an_identity_that_shrinks_copies_the_first_maps():
    assert kernel((1, 1, 3, 2)).tolist() == [[[[1, 0], [0, 1], [0, 0]]]]


@pytest.mark.parametrize(
    ("size", "tap"),
    [
        ((3, 3), (1, 1)),
        # As PyTorch's dirac_: SPEC H.1, the tap at index k // 2.
        ((2, 2), (1, 1)),
        ((4, 5), (2, 2)),
        ((1, 3), (0, 1)),
    ],
)
def test_a_larger_identity_has_one_tap(size, tap):
    values = kernel((*size, 2, 2))

    assert values.shape == (*size, 2, 2)
    assert values[tap].tolist() == [[1, 0], [0, 1]]
    assert values.sum() == 2


def test_a_3x3_identity_copies_an_image():
    images = np.random.RandomState(0).randn(1, 5, 5, 3).astype(np.float32)
    layer = keras.layers.Conv2D(
        4, 3, padding="same", use_bias=False, kernel_initializer=initializer("identity")
    )

    maps = layer(images).numpy()

    np.testing.assert_array_equal(maps[..., :3], images)
    assert not maps[..., 3].any()


def test_the_dtype_is_the_one_asked_for():
    assert Identity()((1, 1, 2, 2), dtype="float16").dtype == "float16"
    assert Identity()((1, 1, 2, 2)).dtype == "float32"


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_initializers_are_serialised(name):
    made = initializer(name)

    again = keras.initializers.deserialize(keras.initializers.serialize(made))

    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def test_an_unknown_name_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^`initializer` must be one of identity, kaiming_normal. "
        r"Received: initializer='he_normal'$",
    ):
        initializer("he_normal")

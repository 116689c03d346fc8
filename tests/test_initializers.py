import keras
import numpy as np
import pytest

from cifar_keras.initializers import (
    INITIALIZERS,
    Identity,
    TorchDirac,
    UniformUnitDeviation,
    XavierCaffe2014Dense,
    XavierMxnet2015,
    initializer,
    torch_bias,
)


def kernel(shape):
    return np.asarray(Identity()(shape))


def test_kaiming_normal_is_a_normal_of_variance_2_over_fan_in():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((3, 3, 64, 256)))

    # 147,456 draws of sqrt(2 / (3 * 3 * 64)) = 0.058926; five standard errors each.
    count, deviation = 147_456, 0.058926
    assert abs(values.mean()) < 5 * deviation / count**0.5
    assert abs(values.std() - deviation) < 5 * deviation / (2 * count) ** 0.5


def test_kaiming_normal_is_not_truncated():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((3, 3, 64, 256)))

    # Keras' he_normal has no values beyond 2 / 0.87962566 = 2.27 of these standard deviations. A
    # normal distribution has 1.242 % beyond 2.5, here 1,831 +- 43.
    beyond = np.sum(np.abs(values) > 2.5 * 0.058926)
    assert 1831 - 5 * 43 < beyond < 1831 + 5 * 43


def test_the_fan_in_of_a_dense_kernel_is_its_inputs():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal")((64, 4096)))

    # sqrt(2 / 64), as cifar10_msra.py of apark263/cfmz has it for the last layer.
    assert values.std() == pytest.approx(0.176777, rel=0.01)


def test_kaiming_normal_fan_out_is_a_normal_of_variance_2_over_fan_out():
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("kaiming_normal_fan_out")((3, 3, 256, 64)))

    # 147,456 draws of sqrt(2 / (9 * 64)) = 0.058926 (train.py of chenjz13/CIFAR-10_Pytorch), not
    # truncated.
    count, deviation = 147_456, 0.058926
    assert abs(values.std() - deviation) < 5 * deviation / (2 * count) ** 0.5
    assert 1831 - 5 * 43 < np.sum(np.abs(values) > 2.5 * deviation) < 1831 + 5 * 43


@pytest.mark.parametrize(
    ("shape", "bound"),
    [
        # 1 / sqrt(9 * 64) and 1 / sqrt(512).
        ((3, 3, 64, 128), 0.0416667),
        ((512, 512), 0.0441942),
    ],
)
def test_torch_default_is_uniform_up_to_one_over_the_root_of_fan_in(shape, bound):
    keras.utils.set_random_seed(1)

    values = np.asarray(initializer("torch_default")(shape))

    assert 0.999 * bound < values.max() <= 1.00001 * bound
    assert -1.00001 * bound <= values.min() < -0.999 * bound
    # Half of a uniform distribution is in the inner half; five standard errors.
    inner = np.mean(np.abs(values) < bound / 2)
    assert abs(inner - 0.5) < 5 * 0.5 / values.size**0.5


def test_torch_bias_is_uniform_up_to_one_over_the_root_of_the_layers_fan_in():
    keras.utils.set_random_seed(1)

    values = np.asarray(torch_bias(9 * 64)((20_000,)))

    # 1 / sqrt(576).
    assert 0.999 * 0.0416667 < values.max() <= 1.00001 * 0.0416667
    assert -1.00001 * 0.0416667 <= values.min() < -0.999 * 0.0416667
    assert abs(np.mean(np.abs(values) < 0.0416667 / 2) - 0.5) < 5 * 0.5 / 20_000**0.5


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
        # Like PyTorch's dirac_ in model.py of NAVIER-STOKED: the tap at index k // 2.
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


@pytest.mark.parametrize(
    ("shape", "tap"),
    [
        # The first convolution of airbench, one of its group 2, and the 2x2 kernel of model.py of
        # NAVIER-STOKED.
        ((3, 3, 24, 64), (1, 1)),
        ((3, 3, 64, 64), (1, 1)),
        ((2, 2, 16, 48), (1, 1)),
        ((1, 1, 24, 64), (0, 0)),
        # Fewer filters than inputs: all of them are copies.
        ((3, 3, 64, 48), (1, 1)),
    ],
)
def test_torch_dirac_begins_with_copies_of_the_inputs(shape, tap):
    copied = min(shape[2:])

    values = np.asarray(TorchDirac(seed=1)(shape))

    assert values.shape == shape
    np.testing.assert_array_equal(values[tap][:copied, :copied], np.eye(copied))
    # Everything else in the copies is zero: other taps, and inputs without a copy.
    assert np.abs(values[..., :copied]).sum() == copied


# 1 / sqrt(9 * 24) and 1 / sqrt(4 * 16).
@pytest.mark.parametrize(
    ("shape", "bound"), [((3, 3, 24, 512), 0.0680414), ((2, 2, 16, 512), 0.125)]
)
def test_the_other_filters_of_torch_dirac_are_pytorchs_default(shape, bound):
    values = np.asarray(TorchDirac(seed=1)(shape))[..., shape[2] :]

    assert 0.999 * bound < values.max() <= 1.00001 * bound
    assert -1.00001 * bound <= values.min() < -0.999 * bound
    inner = np.mean(np.abs(values) < bound / 2)
    assert abs(inner - 0.5) < 5 * 0.5 / values.size**0.5


def test_a_uniform_of_unit_deviation_has_it_exactly():
    # airbench94_muon.py: the last layer of airbench94_muon.
    values = np.asarray(UniformUnitDeviation(seed=1)((256, 10))).astype(np.float64)

    assert values.std(ddof=1) == pytest.approx(1, abs=1e-6)
    # The standard deviation of U(-s, s) is s / sqrt(3); the sample's is within 1 %, five standard
    # errors.
    assert np.abs(values).max() == pytest.approx(1.7320508, rel=0.05)
    assert abs(np.mean(np.abs(values) < 1.7320508 / 2) - 0.5) < 5 * 0.5 / 2560**0.5
    assert abs(values.mean()) < 5 / 2560**0.5


@pytest.mark.parametrize("kind", [TorchDirac, UniformUnitDeviation])
def test_new_draws_come_with_the_dtype_that_is_asked_for(kind):
    assert kind()((1, 1, 2, 4), dtype="float16").dtype == "float16"


# apache/mxnet@011bde4d: s = sqrt(6 / (inputs + outputs)), without the kernel's area.
@pytest.mark.parametrize(
    ("shape", "bound"),
    [
        # sqrt(6 / (64 + 96)) for any area.
        ((3, 3, 64, 96), 0.193649),
        ((1, 1, 64, 96), 0.193649),
        # The first convolutions of module 3a, and the last layer of sub-Inception + RReLU (system
        # A).
        ((1, 1, 3, 64), 0.299253),
        ((1024, 100), 0.073062),
    ],
)
def test_xavier_of_mxnet_2015_is_uniform_within_its_bound(shape, bound):
    values = np.asarray(XavierMxnet2015(seed=1)(shape)).ravel()

    assert np.abs(values).max() <= bound * 1.00001
    assert np.abs(values).max() > bound * (1 - 10 / values.size)
    # The standard deviation of a uniform is bound / sqrt(3). The relative standard error of the
    # mean square is 2 / sqrt(5 n).
    assert abs(values.mean()) < 5 * bound / (3 * values.size) ** 0.5
    assert np.mean(values**2) == pytest.approx(bound**2 / 3, rel=5 * 2 / (5 * values.size) ** 0.5)


# sqrt(3 / (inputs * outputs)) of the companions of s9xie/DSN, and of a small one.
@pytest.mark.parametrize(("shape", "bound"), [((12_288, 10), 0.00494106), ((64, 100), 0.0216506)])
def test_xavier_of_caffe_2014_takes_all_weights_of_a_linear_layer_for_its_fan_in(shape, bound):
    values = np.asarray(XavierCaffe2014Dense(seed=1)(shape)).ravel()

    assert np.abs(values).max() <= bound * 1.00001
    assert np.abs(values).max() > bound * (1 - 10 / values.size)
    assert np.mean(values**2) == pytest.approx(bound**2 / 3, rel=5 * 2 / (5 * values.size) ** 0.5)


@pytest.mark.parametrize(("name", "deviation"), [("normal_0.05", 0.05), ("normal_1", 1)])
def test_plain_normals_have_their_deviation_whatever_the_layers_size(name, deviation):
    keras.utils.set_random_seed(1)

    for shape in ((3, 3, 64, 64), (5, 5, 3, 480)):
        # About 36,000 draws, 1.242 % of them beyond 2.5 standard deviations unless truncated.
        values = np.asarray(initializer(name)(shape))
        assert abs(values.mean()) < 5 * deviation / 36_000**0.5
        assert abs(values.std() - deviation) < 5 * deviation / 72_000**0.5
        assert abs(np.mean(np.abs(values) > 2.5 * deviation) - 0.01242) < 5 * 0.00059


def test_the_dtype_is_the_one_asked_for():
    assert Identity()((1, 1, 2, 2), dtype="float16").dtype == "float16"
    assert Identity()((1, 1, 2, 2)).dtype == "float32"


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_initializers_are_serialised(name):
    made = initializer(name)

    again = keras.initializers.deserialize(keras.initializers.serialize(made))

    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def test_an_unknown_name_is_refused(monkeypatch):
    for name in INITIALIZERS.keys() - {"identity", "kaiming_normal"}:
        monkeypatch.delitem(INITIALIZERS, name)

    with pytest.raises(
        ValueError,
        match=rf"^`initializer` must be one of {', '.join(sorted(INITIALIZERS))}. "
        r"Received: initializer='he_normal'$",
    ):
        initializer("he_normal")

import functools

import keras
import numpy as np
import pytest

from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.resnet import resnet_he, resnet_mxnet, resnet_neon

SHAPE = (32, 32, 3)
# Small images are enough, because the last pooling is global.
SMALL = (8, 8, 3)
RANDOM = np.random.RandomState(0)


@functools.cache
def neon(depth, input_shape=SHAPE, num_classes=10, final_batch_norm=True):
    return resnet_neon(
        input_shape, num_classes, depth, "kaiming_normal", 0.9, 1e-3, final_batch_norm
    )


@functools.cache
def he(depth, input_shape=SHAPE, num_classes=10):
    return resnet_he(input_shape, num_classes, depth, "kaiming_normal", 0.9, 1e-3)


@functools.cache
def mxnet(depth, input_shape=SHAPE, num_classes=10):
    return resnet_mxnet(input_shape, num_classes, depth, "xavier_mxnet", 0.9, 2e-5)


def part(model, first, last):
    """Return the network from the output of one layer to that of another."""
    return keras.Model(model.get_layer(first).output, model.get_layer(last).output)


# cifar10_msra.py of apark263/cfmz.
@pytest.mark.parametrize(
    ("depth", "parameters", "millions"),
    [(20, 272_292, 40.8), (32, 466_724, 69.1), (56, 855_588, 125.7), (110, 1_730_532, 253.1)],
)
def test_neon_has_the_published_size_and_cost(depth, parameters, millions, shipped):
    model = shipped(f"resnet{depth}")

    assert trainable_parameters(model) == parameters
    assert round(multiply_adds(model, SHAPE) / 1e6, 1) == millions


# cifar10_msra.py of apark263/cfmz without the 1x1 convolutions (2,560) and the last batch norm
# (20), with 10 biases.
@pytest.mark.parametrize(
    ("depth", "parameters"), [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)]
)
def test_he_has_the_published_size(depth, parameters, shipped):
    assert trainable_parameters(shipped(f"resnet{depth}_he")) == parameters


# symbols/resnext.py of apache/mxnet@703e8eeb. The batch norm before the first convolution counts
# three betas and no gamma.
def test_mxnet_has_the_published_size_and_cost(shipped):
    model = shipped("resnet110_adadelta")

    assert trainable_parameters(model) == 1_730_973
    assert round(multiply_adds(model, SHAPE) / 1e6, 1) == 253.4


@pytest.mark.parametrize("family", [neon, he, mxnet])
def test_logits_are_one_for_each_class(family):
    model = family(8, num_classes=100)

    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 100)


@pytest.mark.parametrize("family", [neon, he, mxnet])
def test_stages_halve_the_maps_and_double_their_number(family):
    model = family(20)

    assert [model.get_layer(f"stage{i}_block3_relu").output.shape[1:] for i in (1, 2, 3)] == [
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
    ]


NEON_8 = """
images stem_conv stem_bn stem_relu
stage1_block1_1_conv stage1_block1_1_bn stage1_block1_1_relu
stage1_block1_2_conv stage1_block1_2_bn stage1_block1_add stage1_block1_relu
stage2_block1_1_conv_pad stage2_block1_1_conv stage2_block1_1_bn stage2_block1_1_relu
stage2_block1_2_conv stage2_block1_2_bn stage2_block1_shortcut_conv
stage2_block1_add stage2_block1_relu
stage3_block1_1_conv_pad stage3_block1_1_conv stage3_block1_1_bn stage3_block1_1_relu
stage3_block1_2_conv stage3_block1_2_bn stage3_block1_shortcut_conv
stage3_block1_add stage3_block1_relu
pool logits logits_bn
"""
HE_8 = """
images stem_conv stem_bn stem_relu
stage1_block1_1_conv stage1_block1_1_bn stage1_block1_1_relu
stage1_block1_2_conv stage1_block1_2_bn stage1_block1_add stage1_block1_relu
stage2_block1_1_conv_pad stage2_block1_1_conv stage2_block1_1_bn stage2_block1_1_relu
stage2_block1_2_conv stage2_block1_2_bn stage2_block1_shortcut_pool stage2_block1_shortcut_pad
stage2_block1_add stage2_block1_relu
stage3_block1_1_conv_pad stage3_block1_1_conv stage3_block1_1_bn stage3_block1_1_relu
stage3_block1_2_conv stage3_block1_2_bn stage3_block1_shortcut_pool stage3_block1_shortcut_pad
stage3_block1_add stage3_block1_relu
pool logits
"""
MXNET_8 = """
images input_bn stem_conv
stage1_block1_1_conv stage1_block1_1_bn stage1_block1_1_relu
stage1_block1_2_conv stage1_block1_2_bn
stage1_block1_shortcut_conv stage1_block1_shortcut_bn stage1_block1_add stage1_block1_relu
stage2_block1_1_conv_pad stage2_block1_1_conv stage2_block1_1_bn stage2_block1_1_relu
stage2_block1_2_conv stage2_block1_2_bn
stage2_block1_shortcut_conv stage2_block1_shortcut_bn stage2_block1_add stage2_block1_relu
stage3_block1_1_conv_pad stage3_block1_1_conv stage3_block1_1_bn stage3_block1_1_relu
stage3_block1_2_conv stage3_block1_2_bn
stage3_block1_shortcut_conv stage3_block1_shortcut_bn stage3_block1_add stage3_block1_relu
pool logits
"""


@pytest.mark.parametrize(("family", "names"), [(neon, NEON_8), (he, HE_8), (mxnet, MXNET_8)])
def test_every_layer_is_named_from_its_place(family, names):
    model = family(8)

    assert model.name == f"resnet8_{family.__name__}"
    assert sorted(layer.name for layer in model.layers) == sorted(names.split())


def test_later_blocks_are_named_by_their_number():
    names = {layer.name for layer in neon(20).layers}

    # 31 layers and the input at depth 8; two more blocks of 7 layers in each of 3 stages.
    assert len(names) == 32 + 3 * 2 * 7
    assert {"stage1_block2_1_conv", "stage2_block3_2_bn", "stage3_block3_relu"} <= names


@pytest.mark.parametrize("family", [neon, he])
def test_convolutions_have_no_bias_and_batch_norms_the_given_constants(family):
    layers = family(20).layers

    assert not any(each.use_bias for each in layers if isinstance(each, keras.layers.Conv2D))
    norms = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
    assert {(each.momentum, each.epsilon) for each in norms} == {(0.9, 1e-3)}


def test_convolutions_of_mxnet_have_no_bias_and_batch_norms_the_given_constants():
    layers = mxnet(8).layers

    assert not any(each.use_bias for each in layers if isinstance(each, keras.layers.Conv2D))
    norms = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
    assert {(each.momentum, each.epsilon) for each in norms} == {(0.9, 2e-5)}


def test_mxnet_normalizes_its_input_without_a_gamma():
    model = mxnet(8)

    gammas = {each.path for each in model.weights if each.name == "gamma"}

    norms = [each.name for each in model.layers if each.name.endswith("bn")]
    assert gammas == {f"{name}/gamma" for name in norms if name != "input_bn"}
    assert [each.name for each in model.get_layer("input_bn").trainable_variables] == ["beta"]


def test_the_input_of_mxnet_is_convolved_without_batch_norm_or_relu():
    assert [layer.name for layer in mxnet(8).layers[:4]] == [
        "images",
        "input_bn",
        "stem_conv",
        "stage1_block1_1_conv",
    ]


@pytest.mark.parametrize(("stage", "strides"), [(1, 1), (2, 2), (3, 2)])
def test_the_first_block_of_every_stage_of_mxnet_adds_a_normalized_1x1_convolution(stage, strides):
    name = f"stage{stage}_block1"
    model = mxnet(8, SMALL)
    before = "stem_conv" if stage == 1 else f"stage{stage - 1}_block1_relu"
    maps = RANDOM.randn(2, *model.get_layer(before).output.shape[1:]).astype(np.float32)

    block = part(model, before, f"{name}_relu")(maps).numpy()

    branch = part(model, before, f"{name}_2_bn")(maps).numpy()
    kernel = model.get_layer(f"{name}_shortcut_conv").kernel.numpy()
    # A new batch norm divides by sqrt(1 + 2e-5).
    shortcut = maps[:, ::strides, ::strides] @ kernel[0, 0] / 1.00002**0.5
    np.testing.assert_allclose(block, np.maximum(branch + shortcut, 0), rtol=1e-4, atol=1e-5)


def test_later_blocks_of_mxnet_add_their_input(shipped):
    layers = shipped("resnet110_adadelta").layers

    names = {layer.name for layer in layers if "shortcut" in layer.name}

    assert names == {
        f"stage{stage}_block1_shortcut_{kind}" for stage in (1, 2, 3) for kind in ("conv", "bn")
    }


# fit.py of apache/mxnet@703e8eeb: U(+-sqrt(3 / ((fan_in + fan_out) / 2))), where the fans include
# the kernel's area.
@pytest.mark.parametrize(
    ("name", "bound"),
    [
        # sqrt(6 / (9 * 64 + 9 * 64)).
        ("stage3_block1_2_conv", 0.0721688),
        # sqrt(6 / (64 + 10)).
        ("logits", 0.2847474),
    ],
)
def test_mxnet_begins_with_xavier_uniform_of_magnitude_3(name, bound):
    kernel = mxnet(8).get_layer(name).kernel.numpy()

    assert 0.97 * bound < np.abs(kernel).max() <= 1.00001 * bound
    assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.1)


@pytest.mark.parametrize("family", [neon, he])
def test_convolutions_of_stride_2_pad_one_pixel_all_round(family):
    model = family(8, SMALL)
    images = RANDOM.randn(2, 8, 8, 16).astype(np.float32)
    kernel = model.get_layer("stage2_block1_1_conv").kernel.numpy()

    convolved = part(model, "stage1_block1_relu", "stage2_block1_1_conv")(images).numpy()

    expected = np.zeros((2, 4, 4, 32))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for y, x in np.ndindex(4, 4):
        window = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        expected[:, y, x] = np.tensordot(window, kernel, 3)
    np.testing.assert_allclose(convolved, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "last"), [(neon, "stage2_block1_shortcut_conv"), (he, "stage2_block1_shortcut_pad")]
)
def test_a_shortcut_begins_as_every_other_pixel_and_zeros_for_the_new_maps(family, last):
    maps = RANDOM.randn(2, 8, 8, 16).astype(np.float32)

    short = part(family(8, SMALL), "stage1_block1_relu", last)(maps).numpy()

    assert short.shape == (2, 4, 4, 32)
    np.testing.assert_array_equal(short[..., :16], maps[:, ::2, ::2])
    assert not short[..., 16:].any()


def test_the_shortcuts_of_neon_are_trained():
    model = resnet_neon(SMALL, 10, 8, "kaiming_normal", 0.9, 1e-3, True)
    shortcut = model.get_layer("stage2_block1_shortcut_conv")
    before = shortcut.kernel.numpy()
    model.compile(keras.optimizers.SGD(0.1), "mse")

    model.train_on_batch(RANDOM.randn(4, *SMALL), RANDOM.randn(4, 10))

    assert (shortcut.kernel.numpy() != before).all()


def test_the_shortcuts_of_he_have_no_parameters():
    assert not any(layer.weights for layer in he(20).layers if layer.name.partition("shortcut")[1])


def test_a_block_adds_its_shortcut_before_the_last_relu():
    model = neon(8, SMALL)
    maps = RANDOM.randn(2, 8, 8, 16).astype(np.float32)

    block = part(model, "stem_relu", "stage1_block1_relu")(maps).numpy()

    branch = part(model, "stem_relu", "stage1_block1_2_bn")(maps).numpy()
    np.testing.assert_allclose(block, np.maximum(branch + maps, 0), rtol=1e-6, atol=1e-6)


def test_a_final_batch_norm_comes_after_the_linear_layer_of_neon():
    # 272,292 with gamma and beta of 10 classes.
    assert trainable_parameters(neon(20, final_batch_norm=False)) == 272_272
    assert [layer.name for layer in neon(20).layers[-2:]] == ["logits", "logits_bn"]
    assert neon(20, final_batch_norm=False).layers[-1].name == "logits"


@pytest.mark.parametrize(
    "family",
    [lambda: neon(8, SMALL, 10, False), lambda: he(8, SMALL), lambda: mxnet(8, SMALL)],
)
def test_logits_are_the_linear_layer_without_activation(family):
    model = family()
    images = RANDOM.randn(5, *SMALL).astype(np.float32)

    logits = model(images).numpy()

    pooled = part(model, "images", "pool")(images).numpy()
    # neon has no bias; in the others it is initialized to zero.
    expected = pooled @ model.get_layer("logits").kernel.numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert (logits < 0).any()


@pytest.mark.parametrize("family", [neon, he, mxnet])
@pytest.mark.parametrize("depth", [21, 2, -4])
def test_another_depth_than_6n_plus_2_is_refused(family, depth):
    with pytest.raises(
        ValueError,
        match=rf"^`depth` must be 6n \+ 2, as 20, 32, 56, 110. Received: depth={depth}$",
    ):
        family(depth)

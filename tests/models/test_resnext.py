import functools

import keras
import numpy as np
import pytest

from cifar_keras.errors import DeviceError
from cifar_keras.layers.grouped_convolution import GroupedConv2D
from cifar_keras.models import multiply_adds, trainable_parameters
from cifar_keras.models.resnet import resnet_he
from cifar_keras.models.resnext import check_gradients_on_cpu, resnext_cifar, resnext_imagenet

RANDOM = np.random.RandomState(0)


@functools.cache
def imagenet(
    blocks=(3, 4, 23, 3),
    filters=64,
    groups=32,
    width=4,
    size=28,
    num_classes=10,
    input_batch_norm=False,
    head_classes=0,
):
    return resnext_imagenet(
        (size, size, 3),
        num_classes,
        list(blocks),
        filters,
        groups,
        width,
        input_batch_norm,
        head_classes,
        "kaiming_normal",
        0.9,
        1.001e-5,
    )


@functools.cache
def cifar(depth=29, filters=64, groups=8, width=64, size=32, num_classes=10):
    return resnext_cifar(
        (size, size, 3),
        num_classes,
        depth,
        filters,
        groups,
        width,
        "kaiming_normal_fan_out",
        "torch_default",
        0.9,
        1e-5,
        True,
    )


# Small ones: maps of 16, 32, ... and of 2, 4, ... in each of 2 groups.
tiny_imagenet = functools.partial(imagenet, (1, 2, 1, 1), 4, 2, 2)
tiny_cifar = functools.partial(cifar, 11, 4, 2, 2, 8)


def part(model, first, last):
    """Return the network from the output of one layer to that of another."""
    return keras.Model(model.get_layer(first).output, model.get_layer(last).output)


# symbols/resnext.py of apache/mxnet@703e8eeb, without MXNet's first batch norm.
def test_resnext_101_has_the_published_size_and_cost():
    model = imagenet()

    assert trainable_parameters(model) == 42_149_194
    assert round(multiply_adds(model, (28, 28, 3)) / 1e6, 1) == 158.1
    assert model.output_shape == (None, 10)
    assert model.name == "resnext101_32x4d_imagenet"


def test_resnext_101_has_the_published_size_with_imagenets_head():
    # 42,149,194 + 990 * (2,048 + 1).
    head = imagenet().get_layer("logits").kernel.shape[0] + 1

    assert trainable_parameters(imagenet()) + 990 * head == 44_177_704


def test_resnext_101_ends_with_one_pixel():
    model = imagenet()
    last = ("stem_relu", "stem_pool", *(f"stage{i}_block3_relu" for i in (1, 2, 3, 4)), "pool")

    assert [model.get_layer(name).output.shape[1:] for name in last] == [
        (14, 14, 64),
        (7, 7, 64),
        (7, 7, 256),
        (4, 4, 512),
        (2, 2, 1024),
        (1, 1, 2048),
        (2048,),
    ]


def test_resnext_101_has_the_published_widths():
    model = imagenet()
    kernels = [model.get_layer(f"stage{i}_block3_2_conv").kernel.shape for i in (1, 2, 3, 4)]

    assert kernels == [(3, 3, 4, 128), (3, 3, 8, 256), (3, 3, 16, 512), (3, 3, 32, 1024)]
    names = [layer.name for layer in model.layers if layer.name.endswith("_add")]
    assert names == [
        f"stage{stage}_block{block}_add"
        for stage, count in enumerate((3, 4, 23, 3), start=1)
        for block in range(1, count + 1)
    ]


# arXiv 1611.05431, table 7: 34.4M. Multiply-adds [calc]: 5,387,266,048.
def test_resnext_29_has_the_published_size_and_cost():
    model = cifar()

    assert trainable_parameters(model) == 34_426_698
    assert multiply_adds(model, (32, 32, 3)) == 5_387_266_048
    assert model.name == "resnext29_8x64d"


def test_stages_of_resnext_29_halve_the_maps_and_double_their_number():
    model = cifar()

    assert [model.get_layer(f"stage{i}_block3_relu").output.shape[1:] for i in (1, 2, 3)] == [
        (32, 32, 256),
        (16, 16, 512),
        (8, 8, 1024),
    ]
    assert [model.get_layer(f"stage{i}_block3_2_conv").kernel.shape for i in (1, 2, 3)] == [
        (3, 3, 64, 512),
        (3, 3, 128, 1024),
        (3, 3, 256, 2048),
    ]


IMAGENET_LAYERS = """
images stem_conv_pad stem_conv stem_bn stem_relu stem_pool_pad stem_pool
stage1_block1_1_conv stage1_block1_1_bn stage1_block1_1_relu
stage1_block1_2_conv stage1_block1_2_bn stage1_block1_2_relu
stage1_block1_3_conv stage1_block1_3_bn
stage1_block1_shortcut_conv stage1_block1_shortcut_bn stage1_block1_add stage1_block1_relu
stage2_block1_1_conv stage2_block1_1_bn stage2_block1_1_relu
stage2_block1_2_conv_pad stage2_block1_2_conv stage2_block1_2_bn stage2_block1_2_relu
stage2_block1_3_conv stage2_block1_3_bn
stage2_block1_shortcut_conv stage2_block1_shortcut_bn stage2_block1_add stage2_block1_relu
stage2_block2_1_conv stage2_block2_1_bn stage2_block2_1_relu
stage2_block2_2_conv stage2_block2_2_bn stage2_block2_2_relu
stage2_block2_3_conv stage2_block2_3_bn stage2_block2_add stage2_block2_relu
pool logits
"""


def test_every_layer_is_named_from_its_place():
    model = imagenet((1, 2), 4, 2, 2)

    assert sorted(layer.name for layer in model.layers) == sorted(IMAGENET_LAYERS.split())


def test_the_stem_for_cifar_keeps_the_size():
    model = tiny_cifar()

    assert [layer.name for layer in model.layers[:4]] == [
        "images",
        "stem_conv",
        "stem_bn",
        "stem_relu",
    ]
    assert model.get_layer("stem_conv").kernel.shape == (3, 3, 3, 4)
    assert model.get_layer("stem_relu").output.shape == (None, 8, 8, 4)


@pytest.mark.parametrize("family", [tiny_imagenet, tiny_cifar])
def test_the_second_convolution_of_each_block_is_grouped_and_no_other(family):
    convs = [each for each in family().layers if isinstance(each, keras.layers.Conv2D)]

    grouped = {each.name: each.groups for each in convs if each.groups > 1}
    assert grouped == {each.name: 2 for each in convs if each.name.endswith("_2_conv")}
    assert {type(each) for each in convs if each.name in grouped} == {GroupedConv2D}
    assert not any(each.use_bias for each in convs)


@pytest.mark.parametrize(
    ("family", "constants"),
    [(tiny_imagenet, (0.9, 1.001e-5, False)), (tiny_cifar, (0.9, 1e-5, True))],
)
def test_batch_norms_have_the_given_constants(family, constants):
    norms = [each for each in family().layers if each.name.endswith("bn")]

    assert {(each.momentum, each.epsilon, each.unbiased) for each in norms} == {constants}


def test_a_stride_pads_one_pixel_all_round():
    model = tiny_cifar()
    images = RANDOM.randn(2, 8, 8, 8).astype(np.float32)
    conv = model.get_layer("stage2_block1_2_conv")
    kernel = conv.kernel.numpy()

    convolved = part(model, "stage2_block1_1_relu", conv.name)(images).numpy()

    expected = np.zeros((2, 4, 4, 8))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for y, x in np.ndindex(4, 4):
        window = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        for group in (slice(0, 4), slice(4, 8)):
            expected[:, y, x, group] = np.tensordot(window[..., group], kernel[..., group], 3)
    np.testing.assert_allclose(convolved, expected, rtol=1e-4, atol=1e-5)


def test_the_stem_for_imagenet_pads_all_round():
    model = tiny_imagenet()
    images = RANDOM.rand(2, 28, 28, 3).astype(np.float32)
    kernel = model.get_layer("stem_conv").kernel.numpy()

    pooled = part(model, "images", "stem_pool")(images).numpy()

    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)))
    maps = np.zeros((2, 16, 16, 4))
    for y, x in np.ndindex(14, 14):
        window = padded[:, 2 * y : 2 * y + 7, 2 * x : 2 * x + 7]
        # A new batch norm divides by sqrt(1 + 1.001e-5).
        maps[:, 1 + y, 1 + x] = np.maximum(np.tensordot(window, kernel, 3), 0) / 1.00001001**0.5
    rows = [maps[:, 2 * y : 2 * y + 3] for y in range(7)]
    expected = np.stack(
        [[row[:, :, 2 * x : 2 * x + 3].max(axis=(1, 2)) for x in range(7)] for row in rows]
    )
    np.testing.assert_allclose(pooled, expected.transpose(2, 0, 1, 3), rtol=1e-4, atol=1e-5)


def test_a_block_adds_its_shortcut_before_the_last_relu():
    model = tiny_imagenet()
    maps = RANDOM.randn(2, 4, 4, 32).astype(np.float32)

    block = part(model, "stage2_block1_relu", "stage2_block2_relu")(maps).numpy()

    branch = part(model, "stage2_block1_relu", "stage2_block2_3_bn")(maps).numpy()
    np.testing.assert_allclose(block, np.maximum(branch + maps, 0), rtol=1e-6, atol=1e-6)


def test_an_input_batch_norm_comes_first_and_learns_three_numbers():
    plain, normalized = tiny_imagenet(), tiny_imagenet(input_batch_norm=True)

    assert normalized.layers[1].name == "input_bn"
    assert [each.name for each in normalized.layers[1].trainable_variables] == ["beta"]
    assert trainable_parameters(normalized) == trainable_parameters(plain) + 3


@pytest.mark.parametrize(("head_classes", "logits"), [(0, 10), (10, 10), (1000, 1000)])
def test_the_head_has_as_many_classes_as_are_asked_for(head_classes, logits):
    assert tiny_imagenet(head_classes=head_classes).output_shape == (None, logits)


def test_a_head_without_room_for_the_classes_is_refused():
    with pytest.raises(
        ValueError, match=r"^`head_classes` must be 0 or at least 10. Received: head_classes=9$"
    ):
        tiny_imagenet(head_classes=9)


@pytest.mark.parametrize("depth", [2, 28, 30])
def test_another_depth_than_9n_plus_2_is_refused(depth):
    with pytest.raises(
        ValueError, match=rf"^`depth` must be 9n \+ 2, as 29, 38, 56. Received: depth={depth}$"
    ):
        cifar(depth)


@pytest.mark.parametrize("name", ["groups", "width", "filters"])
def test_sizes_that_are_not_above_zero_are_refused(name):
    with pytest.raises(ValueError, match=rf"^`{name}` must be above 0. Received: {name}=0$"):
        cifar(**{name: 0})


@pytest.mark.parametrize("blocks", [(), (1, 0)])
def test_stages_without_blocks_are_refused(blocks):
    with pytest.raises(ValueError, match=r"^`blocks` must be numbers above 0. Received: blocks="):
        imagenet(blocks)


# The standard deviation of U(-s, s) is s / sqrt(3).
@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        # sqrt(2 / (9 * 512)) for any number of groups: models/resnext.lua, ConvInit.
        ("stage1_block2_2_conv", 0.0208333),
        # sqrt(2 / 256).
        ("stage1_block2_3_conv", 0.0883883),
        # 1 / sqrt(1024) / sqrt(3).
        ("logits", 0.0180422),
    ],
)
def test_values_of_resnext_29_begin_as_in_the_original(name, deviation):
    kernel = cifar().get_layer(name).kernel.numpy()

    assert kernel.std() == pytest.approx(deviation, rel=0.02)


def test_grouped_convolutions_are_not_trained_on_a_cpu_without_onednn(monkeypatch):
    monkeypatch.setattr("cifar_keras.models.resnext.onednn", lambda: False)

    with pytest.raises(DeviceError) as caught:
        check_gradients_on_cpu(tiny_cifar())

    assert "'stage1_block1_2_conv' of model 'resnext11_2x2d'" in str(caught.value)
    assert "set TF_ENABLE_ONEDNN_OPTS=1" in str(caught.value)


def test_networks_without_groups_are_trained_without_onednn(monkeypatch):
    monkeypatch.setattr("cifar_keras.models.resnext.onednn", lambda: False)

    check_gradients_on_cpu(resnet_he((8, 8, 3), 10, 8, "kaiming_normal", 0.9, 1e-3))


def test_with_onednn_grouped_convolutions_are_trained():
    model = tiny_cifar()
    check_gradients_on_cpu(model)
    before = model.get_layer("stage1_block1_2_conv").kernel.numpy()
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)

    model.train_on_batch(RANDOM.randn(4, 8, 8, 3), RANDOM.randn(4, 10))

    assert (model.get_layer("stage1_block1_2_conv").kernel.numpy() != before).all()

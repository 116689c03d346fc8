import hashlib

import h5py
import numpy as np
import pytest

from cifar_keras.errors import RunError
from cifar_keras.models.pretrained import fetch_weights, load_imagenet_resnext
from cifar_keras.models.resnet import resnet_he
from cifar_keras.models.resnext import resnext_imagenet

URL = "https://example.org/models/weights.h5"
# A ResNeXt-17 2x3d whose stem has 4 maps. Stage s has 6 * 2 ** (s - 1) maps inside its blocks, 3,
# 6, ... per group, and 16 * 2 ** (s - 1) after them.
BLOCKS, FILTERS, GROUPS, WIDTH, SIZE = (1, 2, 1, 1), 4, 2, 3, 28
EPSILON = 1.001e-5


def network(head_classes=0, input_batch_norm=False, blocks=BLOCKS):
    return resnext_imagenet(
        (SIZE, SIZE, 3),
        10,
        list(blocks),
        FILTERS,
        GROUPS,
        WIDTH,
        input_batch_norm,
        head_classes,
        "kaiming_normal",
        0.9,
        EPSILON,
    )


def original_weights(seed=0):
    """Return random weights with the names and shapes of keras-applications."""
    random = np.random.RandomState(seed)
    layers = {}

    def conv(name, size, inputs, outputs, kind="kernel"):
        scale = (2 / (size * size * inputs)) ** 0.5
        layers[name] = {kind: scale * random.randn(size, size, inputs, outputs)}

    def batch_norm(name, maps):
        layers[name] = {
            "gamma": random.uniform(0.5, 1.5, maps),
            "beta": random.randn(maps),
            "moving_mean": random.randn(maps),
            "moving_variance": random.uniform(0.5, 1.5, maps),
        }

    conv("conv1_conv", 7, 3, FILTERS)
    batch_norm("conv1_bn", FILTERS)
    maps = FILTERS
    for stage, count in enumerate(BLOCKS):
        inner, outer = GROUPS * WIDTH * 2**stage, 4 * FILTERS * 2**stage
        for block in range(1, count + 1):
            name = f"conv{stage + 2}_block{block}"
            if block == 1:
                conv(f"{name}_0_conv", 1, maps, outer)
                batch_norm(f"{name}_0_bn", outer)
            conv(f"{name}_1_conv", 1, maps, inner)
            batch_norm(f"{name}_1_bn", inner)
            conv(f"{name}_2_conv", 3, inner, inner // GROUPS, "depthwise_kernel")
            batch_norm(f"{name}_2_bn", inner)
            conv(f"{name}_3_conv", 1, inner, outer)
            batch_norm(f"{name}_3_bn", outer)
            maps = outer
    layers["predictions"] = {"kernel": random.randn(maps, 1000), "bias": random.randn(1000)}
    return layers


def write(path, layers, root=""):
    """Write an HDF5 file as Keras 2 did: a group per layer, with a group of the same name in it."""
    with h5py.File(path, "w") as file:
        top = file.require_group(root) if root else file
        top.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            for kind, array in arrays.items():
                top[f"{name}/{name}/{kind}:0"] = np.asarray(array, np.float32)
        # Layers without weights have a group as well.
        top.require_group("conv1_relu")
    return path


@pytest.fixture(scope="module")
def layers():
    return original_weights()


@pytest.fixture
def file(tmp_path, layers):
    return write(tmp_path / "weights.h5", layers)


def windows(images, size, strides, pad, fill=0.0):
    """(batch, height, width, size, size, channels)."""
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    return found[:, ::strides, ::strides].transpose(0, 1, 2, 4, 5, 3)


class Original:
    """Compute keras-applications' ResNeXt in NumPy, by depthwise convolution and sum."""

    def __init__(self, layers):
        self.layers = layers

    def conv(self, x, name, strides=1, pad=0):
        kernel = self.layers[name]["kernel"]
        return np.tensordot(windows(x, len(kernel), strides, pad), kernel, 3)

    def batch_norm(self, x, name):
        arrays = self.layers[name]
        scaled = (x - arrays["moving_mean"]) / np.sqrt(arrays["moving_variance"] + EPSILON)
        return scaled * arrays["gamma"] + arrays["beta"]

    def unit(self, x, name):
        return np.maximum(self.batch_norm(x, name), 0)

    def depthwise_and_sum(self, x, name, strides):
        kernel = self.layers[name]["depthwise_kernel"]
        filters, many = kernel.shape[2:]
        # Map k * many + m is the m-th of input k.
        maps = np.einsum("byxhwk,hwkm->byxkm", windows(x, 3, strides, 1), kernel)
        maps = maps.reshape(*maps.shape[:3], filters * many)
        summing = np.zeros((filters * many, filters))
        for output in range(filters):
            first = output // many * many * many + output % many
            summing[first : first + many * many : many, output] = 1
        return maps @ summing

    def block(self, x, name, strides, first):
        shortcut = x
        if first:
            shortcut = self.conv(x, f"{name}_0_conv", strides)
            shortcut = self.batch_norm(shortcut, f"{name}_0_bn")
        x = self.unit(self.conv(x, f"{name}_1_conv"), f"{name}_1_bn")
        x = self.unit(self.depthwise_and_sum(x, f"{name}_2_conv", strides), f"{name}_2_bn")
        x = self.batch_norm(self.conv(x, f"{name}_3_conv"), f"{name}_3_bn")
        return np.maximum(x + shortcut, 0)

    def features(self, images):
        x = self.unit(self.conv(images, "conv1_conv", 2, 3), "conv1_bn")
        x = windows(x, 3, 2, 1).max(axis=(3, 4))
        for stage, count in enumerate(BLOCKS):
            for block in range(1, count + 1):
                strides = 2 if stage and block == 1 else 1
                x = self.block(x, f"conv{stage + 2}_block{block}", strides, block == 1)
        return x.mean(axis=(1, 2))


IMAGES = np.random.RandomState(1).randn(3, SIZE, SIZE, 3).astype(np.float32)


@pytest.mark.parametrize("root", ["", "model_weights"])
def test_the_converted_network_computes_what_the_original_does(tmp_path, layers, root):
    model = network(head_classes=1000)

    load_imagenet_resnext(model, write(tmp_path / "weights.h5", layers, root))

    features = Original(layers).features(IMAGES)
    expected = features @ layers["predictions"]["kernel"] + layers["predictions"]["bias"]
    logits = model(IMAGES).numpy()
    assert np.abs(expected).max() > 10
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())


def test_a_new_head_keeps_its_initial_values(file, layers):
    model = network()
    head = model.get_layer("logits")
    kernel, bias = head.get_weights()

    load_imagenet_resnext(model, file)

    np.testing.assert_array_equal(head.kernel.numpy(), kernel)
    np.testing.assert_array_equal(head.bias.numpy(), bias)
    features = Original(layers).features(IMAGES)
    expected = features @ kernel + bias
    np.testing.assert_allclose(model(IMAGES), expected, atol=1e-5 * np.abs(expected).max())


def test_a_new_head_needs_no_head_in_the_file(tmp_path, layers):
    notop = {name: arrays for name, arrays in layers.items() if name != "predictions"}
    model = network()

    load_imagenet_resnext(model, write(tmp_path / "notop.h5", notop))

    gamma = model.get_layer("stage2_block2_2_bn").gamma.numpy()
    np.testing.assert_allclose(gamma, layers["conv3_block2_2_bn"]["gamma"], rtol=1e-6)


def test_a_summing_kernel_in_the_file_is_passed_over(tmp_path, layers):
    more = layers | {"conv2_block1_2_gconv": {"kernel": np.ones((1, 1, 18, 6))}}

    load_imagenet_resnext(network(), write(tmp_path / "weights.h5", more))


def refusal(model, path):
    before = model.get_weights()
    with pytest.raises(RunError) as caught:
        load_imagenet_resnext(model, path)
    # Nothing has changed.
    for value, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)
    return str(caught.value)


@pytest.mark.parametrize(
    ("missing", "more"),
    [
        ("conv5_block1_3_bn", ""),
        ("conv2_block1_0_conv", ""),
        ("predictions", " (the 'notop' file lacks it)"),
    ],
)
def test_a_file_that_lacks_a_layer_is_refused(tmp_path, layers, missing, more):
    less = {name: arrays for name, arrays in layers.items() if name != missing}
    path = write(tmp_path / "weights.h5", less)

    assert refusal(network(head_classes=1000), path) == (
        f"weight file '{path}' has no layer '{missing}'{more}; give the file of the recipe"
    )


@pytest.mark.parametrize(
    ("layer", "arrays", "reason"),
    [
        (
            "conv3_block1_1_conv",
            {"kernel": np.zeros((1, 1, 16, 24))},
            "kernel of layer 'conv3_block1_1_conv' has shape (1, 1, 16, 24), not (1, 1, 16, 12)",
        ),
        (
            "conv3_block1_2_conv",
            {"depthwise_kernel": np.zeros((3, 3, 6, 12))},
            "depthwise_kernel of layer 'conv3_block1_2_conv' has shape (3, 3, 6, 12), "
            "not (3, 3, 12, 6)",
        ),
        # A native kernel, of the same shape as ours.
        (
            "conv3_block1_2_conv",
            {"kernel": np.zeros((3, 3, 6, 12))},
            "layer 'conv3_block1_2_conv' has no depthwise_kernel",
        ),
        ("conv1_bn", {"gamma": np.ones(4)}, "layer 'conv1_bn' has no beta"),
    ],
)
def test_a_layer_that_is_another_is_refused(tmp_path, layers, layer, arrays, reason):
    path = write(tmp_path / "weights.h5", layers | {layer: arrays})

    assert refusal(network(), path) == (
        f"weight file '{path}': {reason}; give the file of the recipe"
    )


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"<html>not found</html>")

    message = refusal(network(), path)

    assert message.startswith(f"weight file '{path}' is not a readable HDF5 file: ")
    assert "\n" not in message


def test_an_input_batch_norm_has_no_counterpart(file):
    assert refusal(network(input_batch_norm=True), file) == (
        "model 'resnext17_2x3d_imagenet': published weights have no layer 'input_bn'; they fit the "
        "model resnext_imagenet with input_batch_norm: false"
    )


def test_a_network_of_another_family_is_refused(file):
    model = resnet_he((8, 8, 3), 10, 8, "kaiming_normal", 0.9, 1e-3)

    assert refusal(model, file) == (
        f"weight file '{file}': kernel of layer 'conv1_conv' has shape (7, 7, 3, 4), "
        "not (3, 3, 3, 16); give the file of the recipe"
    )


def test_a_given_file_is_taken_where_its_md5_sum_is_right(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"abc")

    # RFC 1321, A.5.
    assert fetch_weights(URL, "900150983cd24fb0d6963f7d28e17f72", path) == path


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"abcd")

    with pytest.raises(RunError) as caught:
        fetch_weights(URL, "900150983cd24fb0d6963f7d28e17f72", path)

    assert str(caught.value) == (
        f"weight file '{path}' is not the published one: its md5 sum is "
        "e2fc714c4727ee9395f324cd2e7f331f, not 900150983cd24fb0d6963f7d28e17f72; "
        f"get it from {URL}"
    )


def test_a_file_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "weights.h5"

    with pytest.raises(RunError) as caught:
        fetch_weights(URL, "0" * 32, path)

    assert str(caught.value) == (
        f"weight file '{path}': No such file or directory; get it from {URL}"
    )


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give Keras an empty cache."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(folder))
    return folder


def test_without_a_file_the_published_one_is_downloaded_to_kerass_cache(tmp_path, cache, capsys):
    source = tmp_path / "published.h5"
    source.write_bytes(b"abc")

    found = fetch_weights(source.as_uri(), hashlib.md5(b"abc").hexdigest(), None)

    assert found == cache / "models" / "published.h5"
    assert found.read_bytes() == b"abc"
    # Standard output is for results.
    assert capsys.readouterr().out == ""


def test_a_download_that_fails_names_the_file_and_the_option(tmp_path, cache):
    url = (tmp_path / "missing.h5").as_uri()

    with pytest.raises(RunError) as caught:
        fetch_weights(url, "0" * 32, None)

    message = str(caught.value)
    assert message.startswith("cannot download the weights (URL fetch failure on ")
    assert message.endswith(f"; get {url} on another machine and name the file with --weights FILE")
    assert "\n" not in message


def test_a_download_of_another_file_is_refused(tmp_path, cache):
    source = tmp_path / "published.h5"
    source.write_bytes(b"abcd")

    with pytest.raises(RunError, match=r"^cannot download the weights \(Incomplete or corrupted"):
        fetch_weights(source.as_uri(), hashlib.md5(b"abc").hexdigest(), None)

"""Published weights: the ResNeXt files of keras-applications, for native grouped convolutions."""

import contextlib
import hashlib
import re
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from cifar_keras.errors import RunError

IMAGENET_CLASSES = 1000
BLOCK = 2**20


def fetch_weights(url: str, md5: str, given: Path | None) -> Path:
    """Return the path of the published weight file: the given file, or a cached download.

    Both are checked against the md5 sum.

    Raises:
        RunError: the given file cannot be read or is not the published one, or the download failed.
    """
    if given is None:
        return _download(url, md5)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with given.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise RunError(f"weight file '{given}': {error.strerror}; get it from {url}") from None
    if digest.hexdigest() != md5:
        raise RunError(
            f"weight file '{given}' is not the published one: its md5 sum is {digest.hexdigest()}, "
            f"not {md5}; get it from {url}"
        )
    return given


def _download(url: str, md5: str) -> Path:
    try:
        # Keras prints its progress on stdout, which is for results only.
        with contextlib.redirect_stdout(sys.stderr):
            return Path(keras.utils.get_file(origin=url, file_hash=md5, cache_subdir="models"))
    # Without a network connection Keras raises `Exception` itself.
    except Exception as error:
        raise RunError(
            f"cannot download the weights ({error}); get {url} on another machine and name the "
            "file with --weights FILE"
        ) from error


def load_imagenet_resnext(model: keras.Model, path: Path) -> None:
    """Load the weights of a ResNeXt file of keras-applications into a `resnext_imagenet`.

    The file has a depthwise convolution instead of a grouped one: its kernel (3, 3, filters, c)
    computes c maps of each input, and a fixed 1x1 convolution sums them; c is the filters per
    group. Our network has one convolution with a kernel (3, 3, c, filters). The linear layer is
    loaded only if it has ImageNet's 1,000 outputs; otherwise it keeps its initial values. If an
    error is raised, no weight has changed.

    Raises:
        RunError: the file is not HDF5, lacks a layer or has one in another shape, or a layer of the
            network does not occur in such files.

    Reference:
        keras-team/keras-applications, release 1.0.8, keras_applications/resnet_common.py, block3.
    """
    try:
        with h5py.File(path, "r") as file:
            values = _values(model, file, f"weight file '{path}'")
    except OSError as error:
        raise RunError(f"weight file '{path}' is not a readable HDF5 file: {error}") from None
    for variable, value in values:
        variable.assign(value)


_Values = list[tuple[keras.Variable, NDArray[np.float32]]]


def _values(model: keras.Model, file: h5py.File, source: str) -> _Values:
    """Return each variable that the file fills, and its new value."""
    groups = file.get("model_weights", file)
    values: _Values = []
    for layer in model.layers:
        if not layer.weights or _is_new_head(layer):
            continue
        original = _original_name(layer.name)
        if original is None:
            raise RunError(
                f"model '{model.name}': published weights have no layer '{layer.name}'; they fit "
                "the model resnext_imagenet with input_batch_norm: false"
            )
        if original not in groups:
            more = " (the 'notop' file lacks it)" if original == "predictions" else ""
            raise RunError(f"{source} has no layer '{original}'{more}; give the file of the recipe")
        arrays = _arrays(groups[original])
        for variable in layer.weights:
            values.append((variable, _value(variable, arrays, original, source)))
    return values


def _is_new_head(layer: keras.layers.Layer) -> bool:
    return layer.name == "logits" and layer.units != IMAGENET_CLASSES


def _original_name(name: str) -> str | None:
    if name == "logits":
        return "predictions"
    if name in ("stem_conv", "stem_bn"):
        return name.replace("stem", "conv1")
    match = re.fullmatch(r"stage(\d)_(block\d+)_(\d|shortcut)_(conv|bn)", name)
    if match is None:
        return None
    stage, block, place, kind = match.groups()
    return f"conv{int(stage) + 1}_{block}_{place.replace('shortcut', '0')}_{kind}"


def _arrays(layer: h5py.Group) -> dict[str, h5py.Dataset]:
    """Return a layer's arrays by the plain names of their variables."""
    found = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name.rpartition("/")[2].partition(":")[0]] = item

    layer.visititems(visit)
    return found


def _value(
    variable: keras.Variable, arrays: dict[str, h5py.Dataset], layer: str, source: str
) -> NDArray[np.float32]:
    shape, name = tuple(variable.shape), variable.name
    grouped = layer.endswith("_2_conv")
    if grouped:
        height, width, depth, filters = shape
        shape, name = (height, width, filters, depth), "depthwise_kernel"
    if name not in arrays:
        raise RunError(f"{source}: layer '{layer}' has no {name}; give the file of the recipe")
    if arrays[name].shape != shape:
        raise RunError(
            f"{source}: {name} of layer '{layer}' has shape {arrays[name].shape}, not {shape}; "
            "give the file of the recipe"
        )
    value = arrays[name][()].astype(np.float32)
    return _native(value) if grouped else value


def _native(depthwise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the kernel (height, width, c, filters) of the grouped convolution."""
    height, width, filters, depth = depthwise.shape
    # Axes: group, input of the group, output of the group.
    split = depthwise.reshape(height, width, filters // depth, depth, depth)
    return split.transpose(0, 1, 3, 2, 4).reshape(height, width, depth, filters)

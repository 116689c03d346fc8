"""A run's network for use elsewhere: raw images in, class names and probabilities out.

Keras reads its own format back once this module is imported, which registers all layers there are;
the other formats need nothing of this package.
"""

import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from cifar_keras import runs
from cifar_keras.data import Dataset
from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.data.statistics import normalization
from cifar_keras.errors import RunError
from cifar_keras.evaluate import load_network
from cifar_keras.extras import require
from cifar_keras.files import sha256_of, unwritable, write_bytes
from cifar_keras.layers.preprocessing import LikeliestName, Preprocessing

Format = Literal["keras", "savedmodel", "onnx"]
# An ending is part of a file's name; a SavedModel is a folder.
ENDINGS: dict[Format, str] = {"keras": ".keras", "savedmodel": "", "onnx": ".onnx"}


def serving_network(folder: Path, run: runs.Run, dataset: Dataset) -> keras.Model:
    """The run's network with what evaluation does before it.

    From uint8 images (B, 32, 32, 3) to `probabilities`, (B, classes), in the data set's order, and
    `class_name`, (B,), the likeliest one's.

    Raises:
        RunError: the weights are missing or do not fit the network.
    """
    network, data = load_network(folder, run), run.recipe.data
    norm = normalization(data, dataset.train.images)
    margin = (IMAGE_SHAPE[0] - data.crop) // 2
    inner = slice(margin, margin + data.crop)
    mean = norm.mean[inner, inner] if data.mean == "pixel" else norm.mean
    images = keras.Input(IMAGE_SHAPE, dtype="uint8", name="images")
    x = Preprocessing(
        data.crop,
        None if data.contrast == "none" else data.contrast,
        mean.tolist(),
        norm.factor.tolist(),
        name="preprocessing",
    )(images)
    logits = network(x)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    names = output_names(dataset.class_names, logits.shape[-1])
    name = LikeliestName(names, name="class_name")(probabilities)
    outputs = {"class_name": name, "probabilities": probabilities}
    return keras.Model(images, outputs, name=run.name)


def output_names(class_names: tuple[str, ...], outputs: int) -> list[str]:
    """A name for each output; a network with another data set's head has more than classes."""
    return [*class_names, *(f"output {n}" for n in range(len(class_names), outputs))]


def predict(
    folder: Path, run: runs.Run, dataset: Dataset, images: NDArray[np.uint8], count: int = 5
) -> list[list[tuple[str, float]]]:
    """For each image (32, 32, 3) the likeliest classes with their probabilities.

    Raises:
        RunError: the weights are missing or do not fit the network.
    """
    network = serving_network(folder, run, dataset)
    every = np.asarray(network(images)["probabilities"])
    names = output_names(dataset.class_names, every.shape[-1])
    order = np.argsort(-every, axis=-1, kind="stable")[:, :count]
    return [
        [(names[place], float(each[place])) for place in places]
        for each, places in zip(every, order, strict=True)
    ]


def check_format(to: Format, output: Path) -> None:
    """Nothing, where this format can be written under this name.

    Raises:
        MissingPackage: ONNX's packages are not installed.
        RunError: the name has another ending, or is that of something else.
    """
    if to == "onnx":
        for package in ("tf2onnx", "onnx"):
            require(package, "onnx", "--to onnx")
    if output.suffix != ENDINGS[to] and to != "savedmodel":
        raise RunError(f"--output '{output}': write a name that ends in {ENDINGS[to]}")
    replaceable = (output / "saved_model.pb").is_file() if to == "savedmodel" else output.is_file()
    if output.exists() and not replaceable:
        raise RunError(f"--output '{output}' is there and is no {to}; choose another name")


def export(folder: Path, run: runs.Run, dataset: Dataset, to: Format, output: Path) -> list[Path]:
    """Write the serving network, and beside it a JSON file of its class names and its run.

    Returns the paths. An earlier export of the same name is replaced.

    Raises:
        RunError: the weights are missing or do not fit, the place cannot be written, or the format
            does not know what the network computes in.
    """
    if to == "onnx" and run.recipe.precision == "mixed_bfloat16":
        raise RunError(
            f"--to onnx: '{folder}' computes in bfloat16, in which ONNX has no convolution; write "
            "keras or savedmodel"
        )
    network = serving_network(folder, run, dataset)
    facts = {
        "recipe": run.name,
        "recipe_sha256": run.recipe_sha256,
        "seed": run.seed,
        "dataset": run.recipe.dataset,
        "weights_sha256": sha256_of(folder / runs.WEIGHTS),
        "class_names": output_names(dataset.class_names, network.output["probabilities"].shape[-1]),
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as scratch:
            written = Path(scratch) / f"network{ENDINGS[to]}"
            _write(network, to, written)
            if output.is_dir():
                shutil.rmtree(output)
            os.replace(written, output)
    except OSError as error:
        raise unwritable(output, error) from None
    beside = output.with_name(f"{output.name}.json")
    write_bytes(beside, (json.dumps(facts, indent=1) + "\n").encode())
    return [output, beside]


def _write(network: keras.Model, to: Format, path: Path) -> None:
    options: dict[str, Any] = {}
    if to == "onnx":
        import cifar_keras.onnx_operations  # noqa: F401

        images = keras.InputSpec(shape=(None, *IMAGE_SHAPE), dtype="uint8", name="images")
        options = {"format": "onnx", "input_signature": [images]}
    with warnings.catch_warnings():
        # Keras and tf2onnx look for names that NumPy 2 has dropped.
        warnings.simplefilter("ignore")
        if to == "keras":
            network.save(path)
        else:
            network.export(str(path), verbose=False, **options)

"""Export a run's network: raw images in, class names and probabilities out.

Keras can load its own format once `cifar_keras.layers` is imported; the other formats do not need
this package.
"""

import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from cifar_keras import records
from cifar_keras.data.dataset import IMAGE_SHAPE
from cifar_keras.data.recorded import Inputs
from cifar_keras.errors import RunError
from cifar_keras.evaluate import load_network
from cifar_keras.exported import why_foreign
from cifar_keras.extras import require
from cifar_keras.files import replace_all, sha256_of, unwritable, write_bytes
from cifar_keras.layers.preprocessing import LikeliestName, Preprocessing
from cifar_keras.recipe import Data

Format = Literal["keras", "savedmodel", "onnx"]
# A SavedModel is a folder, so it has no ending.
ENDINGS: dict[Format, str] = {"keras": ".keras", "savedmodel": "", "onnx": ".onnx"}


def serving_network(network: keras.Model, run: records.Run, inputs: Inputs) -> keras.Model:
    """Return the run's network with the preprocessing of evaluation.

    It maps uint8 images (B, 32, 32, 3) to `probabilities`, shape (B, classes) in the data set's
    order, and `class_name`, shape (B,), the name of the most likely class.
    """
    images = keras.Input(IMAGE_SHAPE, dtype="uint8", name="images")
    x = preprocessing(run.recipe.data, inputs)(images)
    logits = network(x)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    names = output_names(inputs.class_names, logits.shape[-1])
    name = LikeliestName(names, name="class_name")(probabilities)
    outputs = {"class_name": name, "probabilities": probabilities}
    return keras.Model(images, outputs, name=run.name)


def preprocessing(data: Data, inputs: Inputs) -> Preprocessing:
    """Return the layer that preprocesses raw images as evaluation does."""
    norm = inputs.normalization.centered(data.crop)
    mean, factor = norm.mean.tolist(), norm.factor.tolist()
    return Preprocessing(data.crop, norm.contrast, mean, factor, name="preprocessing")


def output_names(class_names: tuple[str, ...], outputs: int) -> list[str]:
    """Return a name per output; the head of another data set has more outputs than classes."""
    return [*class_names, *(f"output {n}" for n in range(len(class_names), outputs))]


def predict(
    folder: Path, run: records.Run, inputs: Inputs, images: NDArray[np.uint8], count: int = 5
) -> list[list[tuple[str, float]]]:
    """Return the most likely classes of each image (32, 32, 3) with their probabilities.

    Raises:
        RunError: the weights are missing or do not fit the network.
    """
    network = serving_network(load_network(folder, run), run, inputs)
    every = np.asarray(network(images)["probabilities"])
    names = output_names(inputs.class_names, every.shape[-1])
    order = np.argsort(-every, axis=-1, kind="stable")[:, :count]
    return [
        [(names[place], float(each[place])) for place in places]
        for each, places in zip(every, order, strict=True)
    ]


def check_output(to: Format, output: Path, overwrite: bool) -> None:
    """Raise an error unless this format and its JSON file can be written under this name.

    Raises:
        MissingPackage: ONNX's packages are not installed.
        RunError: the name has another ending, or is taken; with `overwrite`, by something other
            than an earlier export.
    """
    if to == "onnx":
        for package in ("tf2onnx", "onnx"):
            require(package, "onnx", "--to onnx")
    if output.suffix != ENDINGS[to] and to != "savedmodel":
        raise RunError(f"--output '{output}': must end in {ENDINGS[to]}")
    for kind, path in ((to, output), ("facts", _facts_file(output))):
        if not os.path.lexists(path):
            continue
        if not overwrite:
            raise RunError(
                f"'{path}' is there already; add --overwrite to replace an earlier export, or "
                "choose another name with --output"
            )
        if why := why_foreign(kind, path):
            raise RunError(
                f"--overwrite: '{path}' {why}; remove it yourself, or choose another name with "
                "--output"
            )


def _facts_file(output: Path) -> Path:
    return Path(f"{output}.json")


def export(
    folder: Path,
    run: records.Run,
    inputs: Inputs,
    to: Format,
    output: Path,
    overwrite: bool = False,
) -> list[Path]:
    """Write the serving network and a JSON file of its class names and run; return both paths.

    With `overwrite`, an earlier export of that name is replaced. If that fails, it is unchanged.

    Raises:
        MissingPackage: the format needs packages that are not installed.
        RunError: the weights are missing or do not fit, the name is taken or cannot be written, or
            the format does not support the network's precision.
    """
    check_output(to, output, overwrite)
    if to == "onnx" and run.recipe.precision == "mixed_bfloat16":
        raise RunError(
            f"--to onnx: '{folder}' computes in bfloat16, for which ONNX has no convolution; use "
            "--to keras or --to savedmodel"
        )
    network = serving_network(load_network(folder, run), run, inputs)
    facts = {
        "recipe": run.name,
        "recipe_sha256": run.recipe_sha256,
        "seed": run.seed,
        "dataset": run.recipe.dataset,
        "weights_sha256": sha256_of(records.weights_file(folder)),
        "class_names": output_names(inputs.class_names, network.output["probabilities"].shape[-1]),
    }
    try:
        return _put(network, facts, to, output, overwrite)
    except OSError as error:
        raise unwritable(output, error) from None


def _put(
    network: keras.Model, facts: dict[str, Any], to: Format, output: Path, overwrite: bool
) -> list[Path]:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as name:
        scratch = Path(name)
        network_path, facts_path = scratch / f"network{ENDINGS[to]}", scratch / "facts.json"
        _write(network, to, network_path)
        write_bytes(facts_path, (json.dumps(facts, indent=1) + "\n").encode())
        # Another process may have written here in the meantime.
        check_output(to, output, overwrite)
        replace_all({network_path: output, facts_path: _facts_file(output)}, scratch)
    return [output, _facts_file(output)]


def _write(network: keras.Model, to: Format, path: Path) -> None:
    options: dict[str, Any] = {}
    if to == "onnx":
        import cifar_keras.onnx_operations  # noqa: F401

        images = keras.InputSpec(shape=(None, *IMAGE_SHAPE), dtype="uint8", name="images")
        options = {"format": "onnx", "input_signature": [images]}
    with warnings.catch_warnings():
        # Keras and tf2onnx use names that NumPy 2 removed.
        warnings.simplefilter("ignore")
        if to == "keras":
            network.save(path)
        else:
            network.export(str(path), verbose=False, **options)

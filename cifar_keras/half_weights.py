"""A run's weights with kernels in float16: half the size, evaluated separately."""

from pathlib import Path

import h5py
import numpy as np

from cifar_keras import records
from cifar_keras.data import Dataset
from cifar_keras.errors import RunError
from cifar_keras.evaluate import averaged_logits, load_network, plain_logits
from cifar_keras.files import sha256_of
from cifar_keras.provenance import now


def write_half_weights(
    folder: Path, run: records.Run, dataset: Dataset, path: Path
) -> records.HalfWeights:
    """Write the run's weights with kernels in float16; return the figures of their evaluation.

    All other arrays stay float32. If the run has a tta.json, TTA is evaluated, too.

    Raises:
        RunError: the weights are missing, differ from those of the run's result or overflow
            float16, or the data differ from the run's.
    """
    exact = folder / records.WEIGHTS
    if not exact.is_file():
        raise RunError(
            f"'{folder}' has no {records.WEIGHTS}, which --weights rounds; use the original run "
            "folder"
        )
    digest = sha256_of(exact)
    if digest != records.read_result(folder).weights_sha256:
        raise RunError(f"'{exact}' is not what the run ended with: its hash differs; restore it")
    stated = run.provenance.get("data", {}).get("content_sha256")
    if stated != dataset.provenance["content_sha256"]:
        raise RunError(
            f"the data is not what '{folder}' was trained on: its content hash differs; name the "
            "right one with --data-dir"
        )
    round_kernels(exact, path)
    model = load_network(folder, run, path)
    labels = dataset.test.labels
    correct = int(np.sum(plain_logits(model, run, dataset).argmax(axis=-1) == labels))
    augmented = None
    if (folder / records.TTA).exists():
        views = averaged_logits(model, run, dataset)
        augmented = int(np.sum(views.argmax(axis=-1) == labels))
    return records.HalfWeights(
        weights_sha256=sha256_of(path),
        rounded_from=digest,
        test_accuracy=correct / len(labels),
        test_correct=correct,
        test_images=len(labels),
        augmented_correct=augmented,
        finished=now(),
    )


def round_kernels(exact: Path, path: Path) -> None:
    """Write a weight file for Keras, with every kernel rounded to float16.

    Raises:
        RunError: a kernel has a value that float16 cannot hold.
    """
    with h5py.File(exact) as source, h5py.File(path, "w") as target:

        def copy(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Group):
                target.require_group(name).attrs.update(node.attrs)
                return
            values = node[()]
            # Biases, scales and slopes are vectors, perhaps with leading axes of length 1.
            if values.dtype.kind == "f" and values.ndim and values.size > values.shape[-1]:
                with np.errstate(over="ignore"):
                    values = values.astype(np.float16)
                if not np.isfinite(values).all():
                    raise RunError(f"'{exact}': a kernel has values that float16 cannot hold")
            target.create_dataset(name, data=values).attrs.update(node.attrs)

        source.visititems(copy)

"""What comes out of a run: its weights and result.json."""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from cifar_keras import records
from cifar_keras.files import sha256_of, unwritable, write_bytes
from cifar_keras.models import trainable_parameters
from cifar_keras.provenance import now
from cifar_keras.summary import summary


def write_result(
    folder: Path,
    model: keras.Model,
    rows: Sequence[records.Epoch],
    test_images: int,
    macs: int,
) -> records.Result:
    """Write the weights, then result.json; returns what it says.

    Raises:
        RunError: the folder cannot be written.
    """
    result = records.Result(
        **summary(rows, test_images),
        parameters=trainable_parameters(model),
        macs=macs,
        peak_memory_mib=_peak_memory_mib(),
        weights_sha256=_save_weights(model, folder),
        finished=now(),
    )
    records.write_record(folder, records.RESULT, result)
    return result


def _save_weights(model: keras.Model, folder: Path) -> str:
    scratch = folder / f".saving.{records.WEIGHTS}"
    try:
        # Of a compiled model Keras would save the optimizer's slots, too.
        keras.Model(model.inputs, model.outputs).save_weights(scratch)
        content = scratch.read_bytes()
    except OSError as error:
        raise unwritable(folder / records.WEIGHTS, error) from None
    finally:
        scratch.unlink(missing_ok=True)
    write_bytes(folder / records.WEIGHTS, content)
    return sha256_of(folder / records.WEIGHTS)


def _peak_memory_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
    return peak // (2**20 if sys.platform == "darwin" else 2**10)

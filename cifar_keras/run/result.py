"""What comes out of a run: its weights and result.json."""

import math
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from cifar_keras import records
from cifar_keras.files import sha256_of, unwritable, write_bytes
from cifar_keras.models import trainable_parameters
from cifar_keras.provenance import now


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


def summary(rows: Sequence[records.Epoch], test_images: int) -> dict[str, Any]:
    """The figures of result.json that the history alone decides."""
    last, best = rows[-1], max(rows, key=lambda row: row.test_accuracy)
    return {
        "test_accuracy": last.test_accuracy,
        "test_correct": round(last.test_accuracy * test_images),
        "test_images": test_images,
        "test_loss": last.test_loss if math.isfinite(last.test_loss) else None,
        "epochs": last.epoch,
        "steps": sum(max(r.step for r in rows if r.stage == s) for s in {r.stage for r in rows}),
        "best_on_test": records.BestOnTest(test_accuracy=best.test_accuracy, epoch=best.epoch),
        "seconds": sum(row.seconds for row in rows),
        "images_per_second": sum(row.images_per_second for row in rows) / len(rows),
    }


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

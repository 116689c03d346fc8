"""The results of a run: its weights, result.json and the event "finished"."""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.files import sha256_of, unwritable, write_bytes
from cifar_keras.models import trainable_parameters
from cifar_keras.provenance import now
from cifar_keras.run.checkpoint import Store
from cifar_keras.summary import summary, why_unfinished


def write_result(
    folder: Path,
    model: keras.Model,
    rows: Sequence[records.Epoch],
    test_images: int,
    validation_images: int,
    macs: int,
) -> records.Result:
    """Write the weights, then result.json; return its content.

    Raises:
        RunError: the folder cannot be written.
    """
    result = records.Result(
        **summary(rows, test_images, validation_images),
        parameters=trainable_parameters(model),
        macs=macs,
        peak_memory_mib=_peak_memory_mib(),
        weights_sha256=_save_weights(model, folder),
        finished=now(),
    )
    records.write_record(folder, records.RESULT, result)
    return result


def finished_result(folder: Path) -> records.Result | None:
    """Return the result of the folder's run; None if it is unfinished.

    If the run was killed right after writing its result, complete it: add the event "finished" and
    remove the checkpoints.

    Raises:
        RunError: the event is missing, and the result does not match the history or the weights.
    """
    if not (folder / records.RESULT).exists():
        return None
    run, result = records.read_run(folder), records.read_result(folder)
    if run.finish is None:
        records.add_event(folder, _belated_finish(folder, run, result))
    Store(folder / records.CHECKPOINTS, ()).clear()
    return result


def _belated_finish(folder: Path, run: records.Run, result: records.Result) -> records.Event:
    rows = records.read_history(folder)
    weights = folder / records.WEIGHTS
    reason = why_unfinished(run, rows, result)
    if not run.training_events:
        reason = "run.json records no event of its training"
    elif not weights.is_file() or sha256_of(weights) != result.weights_sha256:
        reason = f"{records.WEIGHTS} is missing, or not the recorded file"
    if reason:
        raise RunError(
            f"'{folder / records.RESULT}' does not belong to this run: {reason}; use --fresh to "
            "start over"
        )
    # The process that wrote the result also recorded the last event.
    update = {
        "kind": "finished",
        "time": now(),
        "stage": rows[-1].stage,
        "step": rows[-1].step,
        "note": "recorded by a later command; the run was killed after its result",
        "files": records.file_hashes(folder),
    }
    return run.training_events[-1].model_copy(update=update)


def _save_weights(model: keras.Model, folder: Path) -> str:
    scratch = folder / f".saving.{records.WEIGHTS}"
    try:
        # For a compiled model, Keras would also save the optimizer's slots.
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

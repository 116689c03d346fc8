import json
import shutil

import h5py
import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.errors import RunError
from cifar_keras.evaluate import evaluate, evaluate_views
from cifar_keras.half_weights import round_kernels, write_half_weights
from cifar_keras.publish import copy_evidence, put_weights
from cifar_keras.verify import outcome


@pytest.fixture(scope="module")
def half(trained, tmp_path_factory, dataset):
    """Publish the first run with weights in float16 only; return the folder."""
    folder, scratch = trained[0], tmp_path_factory.mktemp("scratch")
    place = tmp_path_factory.mktemp("published") / "seed-1"
    run = records.read_run(folder)
    record = write_half_weights(folder, run, dataset, scratch / records.HALF_WEIGHTS)
    copy_evidence(folder, place)
    put_weights(scratch / records.HALF_WEIGHTS, record, place)
    return place


@pytest.fixture
def published(half, tmp_path):
    """Return a copy of it."""
    return shutil.copytree(half, tmp_path / "published")


def test_kernels_are_float16_and_all_else_is_as_it_was(trained, half):
    found = set()
    with (
        h5py.File(trained[0] / records.WEIGHTS) as exact,
        h5py.File(half / records.HALF_WEIGHTS) as rounded,
    ):

        def compare(name, node):
            if isinstance(node, h5py.Dataset):
                other = rounded[name]
                found.add((node.ndim > 1, str(other.dtype)))
                np.testing.assert_array_equal(node[()].astype(other.dtype), other[()])

        exact.visititems(compare)
    assert found == {(True, "float16"), (False, "float32")}


def test_a_kernel_that_float16_cannot_hold_is_refused(tmp_path):
    with h5py.File(tmp_path / "exact.weights.h5", "w") as file:
        file.create_dataset("layers/conv/vars/0", data=np.full((2, 2), 1e5, np.float32))

    with pytest.raises(RunError, match="a kernel has values that float16 cannot hold"):
        round_kernels(tmp_path / "exact.weights.h5", tmp_path / "rounded.weights.h5")


def test_the_run_is_recomputed_from_them_and_its_own_figures_are_next_to_theirs(half, checks):
    found = checks(half)

    assert outcome([*found.values()]) == "recomputed"
    assert found["float16.json test_correct again"].state == "holds"
    assert found["float16.json augmented_correct again"].state == "holds"
    own = found["result.json test_correct in float16"]
    assert own.state == "holds"
    assert "near-tie image" in own.note
    assert found["final.weights.h5"].state == "not checkable"


@pytest.mark.parametrize(
    ("name", "key", "check"),
    [
        (records.HALF, "test_correct", "float16.json test_correct again"),
        pytest.param(
            records.HALF,
            "augmented_correct",
            "float16.json augmented_correct again",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            records.HALF, "test_accuracy", "float16.json test_accuracy", marks=pytest.mark.slow
        ),
        (records.HALF, "rounded_from", "float16.json rounded_from"),
        (records.RESULT, "test_correct", "result.json test_correct in float16"),
    ],
)
def test_a_changed_figure_is_found(published, failing, edit, name, key, check):
    stated = json.loads((published / name).read_text())[key]
    other = {"rounded_from": "1" * 64, "test_accuracy": 1.0}.get(key, 200)
    assert stated != other
    edit(published / name, **{key: other})

    assert check in failing(published)


def test_other_weights_are_found(published, failing):
    with h5py.File(published / records.HALF_WEIGHTS, "a") as file:
        file.attrs["more"] = 1

    assert failing(published) == ["float16.weights.h5"]


def test_both_kinds_of_weights_are_evaluated_where_both_are_there(trained, published, checks):
    shutil.copy(trained[0] / records.WEIGHTS, published)

    found = checks(published)

    assert outcome([*found.values()]) == "recomputed"
    assert {"result.json test_correct again", "float16.json test_correct again"} <= found.keys()


def test_they_are_evaluated_where_the_exact_ones_are_absent(published, dataset, caplog):
    run = records.read_run(published)
    stated = records.read_half(published)

    assert evaluate(published, run, dataset).correct == stated.test_correct
    assert "the weights are float16.weights.h5: kernels are rounded to float16" in caplog.text
    assert "hash differs" not in caplog.text


def test_views_of_them_do_not_replace_those_of_the_run(published, dataset):
    before = (published / records.TTA).read_bytes()

    tta = evaluate_views(published, records.read_run(published), dataset)

    assert tta.test_correct == records.read_half(published).augmented_correct
    assert (published / records.TTA).read_bytes() == before


def test_weights_that_are_not_the_run_s_are_not_rounded(trained, dataset, tmp_path):
    other = trained[1]

    with pytest.raises(RunError, match="is not what the run ended with: its hash differs"):
        write_half_weights(other, records.read_run(other), dataset, tmp_path / "w.weights.h5")

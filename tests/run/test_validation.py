"""A run that holds images out of its training set."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.data import held_out
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.errors import Interrupted, RecipeError
from cifar_keras.evaluate import evaluate
from cifar_keras.run.train import Every, train

HELD = 20


@pytest.fixture
def recipe(recipe):
    """Two epochs on 70 of the 90 images, 5 steps each."""
    tree = recipe.model_dump()
    tree["data"] |= {"validation": HELD, "std": "channel"}
    tree["stages"] = [tree["stages"][0] | {"epochs": 2.0}]
    return type(recipe).model_validate(tree)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("whole") / "noisy" / "seed-3"


@pytest.fixture
def uninterrupted(kept, job, dataset, go):
    if not kept.exists():
        go(replace(job, folder=kept), dataset)
    return kept


def test_the_network_is_trained_on_the_rest_and_validated_after_each_epoch(uninterrupted, dataset):
    rows, result = records.read_history(uninterrupted), records.read_result(uninterrupted)

    assert [row.step for row in rows] == [5, 10]
    accuracies = [row.validation_accuracy for row in rows]
    assert result.validation.images == HELD
    assert result.validation.correct == pytest.approx(accuracies[-1] * HELD)
    assert result.validation.loss == rows[-1].validation_loss
    chosen = rows[accuracies.index(max(accuracies))]
    best = result.validation.best
    assert (best.epoch, best.test_accuracy) == (chosen.epoch, chosen.test_accuracy)


def test_evaluation_finds_the_validation_accuracy_again(uninterrupted, dataset):
    found = evaluate(uninterrupted, records.read_run(uninterrupted), dataset)

    assert found.validation == (HELD, records.read_result(uninterrupted).validation.correct)


def test_the_weights_are_those_of_a_run_on_the_images_left(
    uninterrupted, job, dataset, elsewhere, go, weights_of
):
    left = held_out(dataset, HELD).train
    data = job.recipe.data.model_copy(update={"validation": 0})
    plain = elsewhere("left")
    go(
        replace(plain, recipe=job.recipe.model_copy(update={"data": data})),
        replace(dataset, train=left),
    )

    ours, theirs = weights_of(uninterrupted), weights_of(plain.folder)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert "validation" not in (plain.folder / records.HISTORY).read_text()
    assert "validation" not in (plain.folder / records.RESULT).read_text()


# The first call is in the test, the second in the validation, where the resumed run stops again.
@pytest.mark.parametrize("devices", ["cpu", pytest.param("cpu:2", marks=pytest.mark.slow)])
def test_a_run_stopped_in_its_validation_resumes_bit_for_bit(
    monkeypatch, job, dataset, uninterrupted, elsewhere, same_bits, stop_at, devices
):
    whole = uninterrupted
    if devices != "cpu":
        whole = elsewhere("whole").folder
        train(replace(job, folder=whole), dataset, make_strategy(devices), Every())
    for _ in range(2):
        with monkeypatch.context() as patch:
            stop_at(patch, "on_test_batch_end", 2, signal.SIGTERM)
            with pytest.raises(Interrupted, match="interrupted after step 5 of stage 1"):
                train(job, dataset, make_strategy(devices), Every())

    train(job, dataset, make_strategy(devices), Every())

    same_bits(job.folder, whole)
    assert records.read_history(whole)[-1].validation_accuracy is not None


def test_a_class_left_without_images_is_refused(job, dataset, go):
    data = job.recipe.data.model_copy(update={"validation": 89})
    none = replace(job, recipe=job.recipe.model_copy(update={"data": data}))

    with pytest.raises(RecipeError, match=r"^data.validation is 89, which leaves no training"):
        go(none, dataset)

    assert not job.folder.exists()

import hashlib
import logging

import keras
import numpy as np
import pytest

from cifar_keras import runs
from cifar_keras.data import Dataset, Split
from cifar_keras.errors import RunError
from cifar_keras.evaluate import Evaluation, evaluate
from cifar_keras.models import build_model
from cifar_keras.recipe import load_recipe, recipe_path

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Rows are the true classes: 10 cats, 20 dogs, 10 frogs.
CONFUSION = np.array([[6, 4, 0], [5, 13, 2], [0, 1, 9]])
NAMES = ("cat", "dog", "frog")


def split(images, seed):
    random = np.random.RandomState(seed)
    pixels = random.randint(0, 256, (images, 32, 32, 3)).astype(np.uint8)
    return Split(pixels, random.randint(0, 10, images).astype(np.int64))


@pytest.fixture
def dataset():
    return Dataset(
        name="synthetic10",
        train=split(20, seed=0),
        test=split(30, seed=1),
        class_names=tuple(f"class{i}" for i in range(10)),
        provenance={"synthetic": True, "content_sha256": {"train": "a" * 64, "test": "b" * 64}},
    )


def network(recipe, depth=8):
    return build_model(
        recipe.model.name, (32, 32, 3), 10, recipe.model.arguments | {"depth": depth}
    )


@pytest.fixture
def recipe():
    return load_recipe(recipe_path("demo"))


def centred(dataset):
    # The demo subtracts the training set's channel means and divides by nothing.
    return (dataset.test.images - dataset.train.images.mean(axis=(0, 1, 2))).astype(np.float32)


@pytest.fixture
def model(recipe, dataset):
    """An untrained network; its last batch norm is such that it names many classes."""
    keras.utils.set_random_seed(1)
    model = network(recipe)
    logits = keras.Model(model.input, model.get_layer("logits").output)(centred(dataset)).numpy()
    model.get_layer("logits_bn").moving_mean.assign(logits.mean(axis=0))
    model.get_layer("logits_bn").moving_variance.assign(logits.var(axis=0))
    return model


@pytest.fixture
def folder(tmp_path, recipe, model, dataset, make_result):
    """A finished run of these weights on these data."""
    run = runs.Run(
        name="demo",
        recipe=recipe,
        recipe_sha256=recipe.sha256(),
        seed=1,
        budget="1",
        overrides=[],
        command=["cifar-keras", "train"],
        started="2026-01-01T00:00:00+00:00",
        provenance={"data": dataset.provenance},
    )
    model.save_weights(tmp_path / runs.WEIGHTS)
    digest = hashlib.sha256((tmp_path / runs.WEIGHTS).read_bytes()).hexdigest()
    runs.write_record(tmp_path, runs.RUN, run)
    runs.write_record(tmp_path, runs.RESULT, make_result(weights_sha256=digest))
    return tmp_path


def test_accuracy_is_the_share_of_the_diagonal():
    evaluation = Evaluation(CONFUSION, NAMES)

    assert (evaluation.images, evaluation.correct, evaluation.accuracy) == (40, 28, 0.7)


def test_classes_come_with_the_lowest_accuracy_first():
    accuracies = Evaluation(CONFUSION, NAMES).class_accuracies()

    # 6 of 10, 13 of 20, 9 of 10.
    assert accuracies == [("cat", 0.6), ("dog", 0.65), ("frog", 0.9)]


def test_the_most_confused_pairs_come_first_and_never_with_zero():
    evaluation = Evaluation(CONFUSION, NAMES)

    assert evaluation.most_confused(2) == [("dog", "cat", 5), ("cat", "dog", 4)]
    assert evaluation.most_confused(9)[2:] == [("dog", "frog", 2), ("frog", "dog", 1)]


def test_nothing_is_confused_where_all_is_recognised():
    assert Evaluation(np.diag([3, 4, 5]), NAMES).most_confused() == []


def test_evaluation_is_what_the_network_says_of_each_test_image(folder, dataset, model, caplog):
    evaluation = evaluate(folder, runs.read_run(folder), dataset)

    predicted = model(centred(dataset), training=False).numpy().argmax(axis=1)
    expected = np.zeros((10, 10), int)
    for true, taken_for in zip(dataset.test.labels, predicted, strict=True):
        expected[true, taken_for] += 1
    assert len(set(predicted)) > 3
    np.testing.assert_array_equal(evaluation.confusion, expected)
    assert evaluation.class_names == dataset.class_names
    assert not caplog.records


def test_missing_weights_are_told(folder, dataset):
    (folder / runs.WEIGHTS).unlink()

    with pytest.raises(RunError) as caught:
        evaluate(folder, runs.read_run(folder), dataset)

    assert str(caught.value) == (
        f"'{folder}' has no final.weights.h5: finish the run with `cifar-keras train`"
    )


@pytest.mark.parametrize("depth", [14, 20])
def test_weights_of_another_network_are_refused(folder, dataset, recipe, depth):
    network(recipe, depth).save_weights(folder / runs.WEIGHTS)

    with pytest.raises(
        RunError, match=r"^'.*/final.weights.h5' does not fit the run's network: A total of"
    ):
        evaluate(folder, runs.read_run(folder), dataset)


def test_damaged_weights_are_refused(folder, dataset):
    (folder / runs.WEIGHTS).write_bytes(b"not HDF5")

    with pytest.raises(RunError, match=r"^'.*/final.weights.h5' does not fit the run's network: "):
        evaluate(folder, runs.read_run(folder), dataset)


def test_data_other_than_the_runs_are_warned_of(folder, dataset, caplog):
    dataset.provenance["content_sha256"] = {"train": "a" * 64, "test": "c" * 64}

    evaluate(folder, runs.read_run(folder), dataset)

    assert caplog.record_tuples == [
        (
            "cifar_keras",
            logging.WARNING,
            "the data is not what the run was trained on: its content hash differs",
        )
    ]


def test_weights_other_than_the_runs_are_warned_of(folder, dataset, model, caplog):
    model.get_layer("logits_bn").beta.assign(np.arange(10))
    model.save_weights(folder / runs.WEIGHTS)

    evaluate(folder, runs.read_run(folder), dataset)

    assert caplog.record_tuples == [
        (
            "cifar_keras",
            logging.WARNING,
            "the weights are not those the run ended with: their hash differs",
        )
    ]


def test_weights_without_a_result_are_evaluated_without_a_warning(folder, dataset, caplog):
    (folder / runs.RESULT).unlink()

    assert evaluate(folder, runs.read_run(folder), dataset).images == 30
    assert not caplog.records

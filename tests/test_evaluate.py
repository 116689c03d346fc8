import hashlib

import keras
import numpy as np
import pytest
from made import made_result, made_run

from cifar_keras import records
from cifar_keras.data import Dataset, Split
from cifar_keras.errors import RunError
from cifar_keras.evaluate import Confidence, Evaluation, evaluate, evaluate_views
from cifar_keras.models import MODELS, build_model
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.recipe.schema import Model

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# Rows are the true classes: 10 cats, 20 dogs, 10 frogs.
CONFUSION = np.array([[6, 4, 0], [5, 13, 2], [0, 1, 9]])
NAMES = ("cat", "dog", "frog")
CONFIDENCE = Confidence(top_5=1, negative_log_likelihood=0.5, calibration_error=0.1)


def split(images, seed):
    random = np.random.RandomState(seed)
    pixels = random.randint(0, 256, (images, 32, 32, 3)).astype(np.uint8)
    return Split(pixels, random.randint(0, 10, images).astype(np.int64))


def few():
    return Dataset(
        name="synthetic10",
        train=split(20, seed=0),
        test=split(30, seed=1),
        class_names=tuple(f"class{i}" for i in range(10)),
        provenance={"synthetic": True, "content_sha256": {"train": "a" * 64, "test": "b" * 64}},
    )


@pytest.fixture
def dataset():
    return few()


def network(recipe, depth=8):
    return build_model(
        recipe.model.name, (32, 32, 3), 10, recipe.model.arguments | {"depth": depth}
    )


@pytest.fixture(scope="module")
def recipe():
    return load_recipe(recipe_path("demo"))


def centered(dataset):
    # The demo subtracts the training set's channel means and divides by nothing.
    return (dataset.test.images - dataset.train.images.mean(axis=(0, 1, 2))).astype(np.float32)


@pytest.fixture(scope="module")
def untrained(recipe):
    """A network whose last batch norm is such that it names many classes; and its weights."""
    dataset = few()
    keras.utils.set_random_seed(1)
    model = network(recipe)
    logits = keras.Model(model.input, model.get_layer("logits").output)(centered(dataset)).numpy()
    model.get_layer("logits_bn").moving_mean.assign(logits.mean(axis=0))
    model.get_layer("logits_bn").moving_variance.assign(logits.var(axis=0))
    return model, model.get_weights()


@pytest.fixture
def model(untrained):
    model, weights = untrained
    model.set_weights(weights)
    return model


@pytest.fixture
def folder(tmp_path, recipe, model, dataset):
    """A finished run of these weights on these data."""
    run = made_run(recipe=recipe, provenance={"data": dataset.provenance})
    model.save_weights(tmp_path / records.WEIGHTS)
    digest = hashlib.sha256((tmp_path / records.WEIGHTS).read_bytes()).hexdigest()
    records.write_record(tmp_path, records.RUN, run)
    records.write_record(tmp_path, records.RESULT, made_result(weights_sha256=digest))
    return tmp_path


def warnings_in(caplog):
    """Our own: TensorFlow warns of the networks that these tests make one after another."""
    return [text for name, _, text in caplog.record_tuples if name == "cifar_keras"]


def test_accuracy_is_the_share_of_the_diagonal():
    evaluation = Evaluation(CONFUSION, NAMES, CONFIDENCE)

    assert (evaluation.images, evaluation.correct, evaluation.accuracy) == (40, 28, 0.7)


def test_the_class_must_be_among_the_five_likeliest():
    logits = np.log([[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]] * 3)

    confidence = Confidence.of(logits, np.array([0, 4, 5]))

    assert confidence.top_5 == pytest.approx(2 / 3)
    # -(ln 0.3 + ln 0.1 + ln 0.08) / 3
    assert confidence.negative_log_likelihood == pytest.approx(2.01076, abs=1e-5)


def test_the_calibration_error_is_the_mean_gap_between_confidence_and_accuracy():
    # Two images at 0.9, one right: a gap of 0.4. Two at 0.6, both right: again 0.4, the other way.
    # Two at 0.7, one right: 0.2.
    sure = np.log([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.7, 0.3], [0.7, 0.3]])

    confidence = Confidence.of(sure, np.array([0, 1, 0, 0, 0, 1]))

    assert confidence.calibration_error == pytest.approx((0.4 + 0.4 + 0.2) / 3)


def test_a_certain_and_right_network_has_no_calibration_error():
    confidence = Confidence.of(np.array([[800.0, 0], [0, 900.0]]), np.array([0, 1]))

    assert confidence == Confidence(1, 0, 0)


def test_classes_come_with_the_lowest_accuracy_first():
    accuracies = Evaluation(CONFUSION, NAMES, CONFIDENCE).class_accuracies()

    # 6 of 10, 13 of 20, 9 of 10.
    assert accuracies == [("cat", 0.6), ("dog", 0.65), ("frog", 0.9)]


def test_the_most_confused_pairs_come_first_and_never_with_zero():
    evaluation = Evaluation(CONFUSION, NAMES, CONFIDENCE)

    assert evaluation.most_confused(2) == [("dog", "cat", 5), ("cat", "dog", 4)]
    assert evaluation.most_confused(9)[2:] == [("dog", "frog", 2), ("frog", "dog", 1)]


def test_an_output_that_is_no_class_is_an_error_with_a_name():
    evaluation = Evaluation(np.array([[6, 1, 0, 3], [2, 7, 0, 0]]), ("cat", "dog"), CONFIDENCE)

    assert (evaluation.correct, evaluation.images) == (13, 19)
    assert evaluation.most_confused() == [
        ("cat", "output 3", 3),
        ("dog", "cat", 2),
        ("cat", "dog", 1),
    ]


def test_nothing_is_confused_where_all_is_recognized():
    assert Evaluation(np.diag([3, 4, 5]), NAMES, CONFIDENCE).most_confused() == []


def test_evaluation_is_what_the_network_says_of_each_test_image(folder, dataset, model, caplog):
    evaluation = evaluate(folder, records.read_run(folder), dataset)

    predicted = model(centered(dataset), training=False).numpy().argmax(axis=1)
    expected = np.zeros((10, 10), int)
    for true, taken_for in zip(dataset.test.labels, predicted, strict=True):
        expected[true, taken_for] += 1
    assert len(set(predicted)) > 3
    np.testing.assert_array_equal(evaluation.confusion, expected)
    assert evaluation.class_names == dataset.class_names
    assert not warnings_in(caplog)


def test_missing_weights_are_told(folder, dataset):
    (folder / records.WEIGHTS).unlink()

    with pytest.raises(RunError) as caught:
        evaluate(folder, records.read_run(folder), dataset)

    assert str(caught.value) == (
        f"'{folder}' has no final.weights.h5: finish the run with `cifar-keras train`"
    )


@pytest.mark.parametrize("depth", [14, 20])
def test_weights_of_another_network_are_refused(folder, dataset, recipe, depth):
    network(recipe, depth).save_weights(folder / records.WEIGHTS)

    with pytest.raises(
        RunError, match=r"^'.*/final.weights.h5' does not fit the run's network: A total of"
    ):
        evaluate(folder, records.read_run(folder), dataset)


def test_weights_of_a_network_that_draws_are_evaluated(folder, dataset, monkeypatch):
    # The states of random layers are variables of the network and stand in no file.
    def drawing(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
        inputs = keras.Input(input_shape)
        x = keras.layers.Flatten()(keras.layers.Dropout(0.5)(inputs))
        return keras.Model(inputs, keras.layers.Dense(num_classes)(x))

    monkeypatch.setitem(MODELS, "drawing", drawing)
    drawing((32, 32, 3), 10).save_weights(folder / records.WEIGHTS)
    run = records.read_run(folder)
    recipe = run.recipe.model_copy(update={"model": Model(name="drawing"), "parameters": 0})

    assert evaluate(folder, run.model_copy(update={"recipe": recipe}), dataset).images == 30


def test_damaged_weights_are_refused(folder, dataset):
    (folder / records.WEIGHTS).write_bytes(b"not HDF5")

    with pytest.raises(RunError, match=r"^'.*/final.weights.h5' does not fit the run's network: "):
        evaluate(folder, records.read_run(folder), dataset)


def test_data_other_than_the_runs_are_warned_of(folder, dataset, caplog):
    dataset.provenance["content_sha256"] = {"train": "a" * 64, "test": "c" * 64}

    evaluate(folder, records.read_run(folder), dataset)

    assert warnings_in(caplog) == [
        "the data is not what the run was trained on: its content hash differs"
    ]


def test_weights_other_than_the_runs_are_warned_of(folder, dataset, model, caplog):
    model.get_layer("logits_bn").beta.assign(np.arange(10))
    model.save_weights(folder / records.WEIGHTS)

    evaluate(folder, records.read_run(folder), dataset)

    assert warnings_in(caplog) == [
        "the weights are not those the run ended with: their hash differs"
    ]


def test_weights_without_a_result_are_evaluated_without_a_warning(folder, dataset, caplog):
    (folder / records.RESULT).unlink()

    assert evaluate(folder, records.read_run(folder), dataset).images == 30
    assert not warnings_in(caplog)


def views(images):
    """The six views of airbench94.py with their weights, in numpy."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    moved = [padded[:, 0:32, 0:32], padded[:, 2:34, 2:34]]
    for weight, each in [(1 / 4, images), *((1 / 8, each) for each in moved)]:
        yield weight, each
        yield weight, each[:, :, ::-1]


def test_logits_of_six_views_are_averaged(folder, dataset, model):
    tta = evaluate_views(folder, records.read_run(folder), dataset)

    plain = model(centered(dataset)).numpy()
    average = sum(weight * model(view).numpy() for weight, view in views(centered(dataset)))
    correct = int((average.argmax(axis=1) == dataset.test.labels).sum())
    assert (average.argmax(axis=1) != plain.argmax(axis=1)).any()
    assert (tta.test_correct, tta.test_images, tta.views) == (correct, 30, 6)
    assert tta.test_accuracy == correct / 30


class Hasty:
    """A network that is sure of class 0 at the first of six views, and leans to 1 at the others."""

    calls = 0

    def predict_on_batch(self, images):
        self.calls += 1
        logits = [10.0, 0.0] if self.calls == 1 else [0.0, 3.0]
        return np.tile(np.float32(logits), (len(images), 1))


def test_logits_are_averaged_with_their_weights_and_not_probabilities(folder, dataset, monkeypatch):
    # 10 / 4 and 3 * 3 / 4 are 2.5 against 2.25 for class 0. Weighted alike they would be 1.67
    # against 2.5; as probabilities, 0.29 against 0.71.
    monkeypatch.setattr("cifar_keras.evaluate.load_network", lambda *_: Hasty())
    zeros, ones = (int((dataset.test.labels == label).sum()) for label in (0, 1))

    tta = evaluate_views(folder, records.read_run(folder), dataset)

    assert zeros != ones
    assert tta.test_correct == zeros


def test_the_augmented_accuracy_is_written_beside_the_result(folder, dataset):
    before = (folder / records.RESULT).read_bytes()
    assert records.read_tta(folder) is None

    tta = evaluate_views(folder, records.read_run(folder), dataset)

    assert records.read_tta(folder) == tta
    assert (folder / "tta.json").is_file()
    assert (folder / records.RESULT).read_bytes() == before
    assert records.of_the_same_weights(tta, records.read_result(folder))


def test_an_augmented_accuracy_of_other_weights_is_told_by_their_hash(folder, dataset, model):
    model.get_layer("logits_bn").beta.assign(np.arange(10))
    model.save_weights(folder / records.WEIGHTS)

    tta = evaluate_views(folder, records.read_run(folder), dataset)

    digest = hashlib.sha256((folder / records.WEIGHTS).read_bytes()).hexdigest()
    assert tta.weights_sha256 == digest
    assert not records.of_the_same_weights(tta, records.read_result(folder))


def test_a_damaged_augmented_accuracy_is_told(folder):
    (folder / records.TTA).write_text('{"test_accuracy": 2}')

    with pytest.raises(RunError, match=r"^'.*/tta.json' is damaged: test_accuracy: "):
        records.read_tta(folder)


def test_views_are_not_shown_to_missing_weights(folder, dataset):
    (folder / records.WEIGHTS).unlink()

    with pytest.raises(RunError, match=r"has no final.weights.h5: finish the run"):
        evaluate_views(folder, records.read_run(folder), dataset)
    assert records.read_tta(folder) is None

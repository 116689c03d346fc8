import keras
import numpy as np
import pytest

from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.experiment.metrics import LabelAccuracy

LOGITS = np.random.RandomState(0).randn(200, 10).astype(np.float32)
LABELS = np.random.RandomState(1).randint(0, 10, 200)


def test_a_soft_label_counts_as_its_largest_share():
    labels = np.array([[0.7, 0.3, 0], [0.7, 0.3, 0], [0.4, 0, 0.6], [0, 1, 0]], np.float32)
    logits = np.array([[9, 1, 0], [1, 9, 0], [-3, -2, -1], [0, 2, 1]], np.float32)

    accuracy = LabelAccuracy()
    accuracy.update_state(labels, logits)

    assert float(accuracy.result()) == 0.75


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], LABELS.astype(np.float32)])
def test_on_integers_it_is_keras_sparse_accuracy(labels):
    ours, theirs = LabelAccuracy(), keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    for part in (slice(0, 150), slice(150, 200)):
        ours.update_state(labels[part], LOGITS[part])
        theirs.update_state(labels[part], LOGITS[part])

    assert float(ours.result()) == float(theirs.result())
    # A checkpoint stores both alike.
    assert [each.path for each in ours.variables] == [each.path for each in theirs.variables]


def test_training_may_have_soft_labels_and_testing_integers():
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(10, name="logits")])
    model.compile("sgd", SmoothedCrossEntropy(0), metrics=[LabelAccuracy()])
    soft = np.eye(10, dtype=np.float32)[LABELS]

    history = model.fit(
        LOGITS, soft, validation_data=(LOGITS, LABELS), batch_size=200, epochs=2, verbose=0
    ).history

    # The test after the first epoch and the second epoch see the same weights.
    assert history["loss"][1] == pytest.approx(history["val_loss"][0], rel=1e-5)
    assert history["accuracy"][1] == pytest.approx(history["val_accuracy"][0])


def test_it_is_serialised():
    again = keras.metrics.deserialize(keras.metrics.serialize(LabelAccuracy(name="hits")))

    assert (type(again), again.name) == (LabelAccuracy, "hits")

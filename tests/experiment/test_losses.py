import math

import keras
import numpy as np
import pytest

from cifar_keras.experiment.losses import SmoothedCrossEntropy

LOGITS = (3 * np.random.RandomState(0).randn(20, 10)).astype(np.float32)
LABELS = np.arange(20, dtype=np.int32) % 10


def test_a_loss_by_hand():
    logits = np.log([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]).astype(np.float32)

    loss = SmoothedCrossEntropy(0.3)([0, 2], logits)

    # Targets (0.8, 0.1, 0.1) and (0.1, 0.1, 0.8).
    first = -(0.8 * math.log(0.7) + 0.1 * math.log(0.2) + 0.1 * math.log(0.1))
    second = -(0.2 * math.log(0.25) + 0.8 * math.log(0.5))
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-6)


def test_uniform_logits_cost_the_logarithm_of_the_classes():
    loss = SmoothedCrossEntropy(0.2)(LABELS, np.full((20, 10), 7.0, np.float32))

    assert float(loss) == pytest.approx(math.log(10), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.25])
def test_it_is_keras_loss_of_one_hot_labels(smoothing):
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)

    loss = SmoothedCrossEntropy(smoothing)(LABELS, LOGITS)

    expected = keras_loss(np.eye(10, dtype=np.float32)[LABELS], LOGITS)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_without_smoothing_it_is_keras_sparse_loss():
    loss = SmoothedCrossEntropy(0)(LABELS, LOGITS)

    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, LOGITS)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_labels_may_be_any_integers_in_a_column_or_none(dtype):
    flat = SmoothedCrossEntropy(0.1)(LABELS.astype(dtype), LOGITS)
    column = SmoothedCrossEntropy(0.1)(LABELS.astype(dtype)[:, None], LOGITS)

    assert float(flat) == float(column) == float(SmoothedCrossEntropy(0.1)(LABELS, LOGITS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_soft_labels_cost_what_keras_loss_says(smoothing):
    labels = np.random.RandomState(1).dirichlet(np.ones(10), 20).astype(np.float32)
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)

    loss = SmoothedCrossEntropy(smoothing)(labels, LOGITS)

    assert float(loss) == pytest.approx(float(keras_loss(labels, LOGITS)), rel=1e-6)


def test_a_soft_label_of_one_class_costs_what_the_integer_costs():
    one_hot = np.eye(10, dtype=np.float32)[LABELS]

    loss = SmoothedCrossEntropy(0.1)(one_hot, LOGITS)

    assert float(loss) == pytest.approx(float(SmoothedCrossEntropy(0.1)(LABELS, LOGITS)), rel=1e-6)


def test_extreme_logits_cost_a_finite_amount():
    logits = np.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]], np.float32)

    losses = SmoothedCrossEntropy(0.3, reduction=None)([0, 1], logits).numpy()

    # Log-probabilities (0, -20,000, -10,000) under targets (0.8, 0.1, 0.1) and (0.1, 0.8, 0.1).
    np.testing.assert_allclose(losses, [3_000, 17_000], rtol=1e-6)


def test_half_precision_logits_are_summed_in_float32():
    logits = np.array([[300.0, -300.0]] * 300, np.float16)

    loss = SmoothedCrossEntropy(0)(np.ones(300, np.int32), logits)

    # 300 times 600 is beyond float16.
    assert float(loss) == pytest.approx(600)


def test_it_is_serialised():
    loss = SmoothedCrossEntropy(0.2)

    again = keras.losses.deserialize(keras.losses.serialize(loss))

    assert (type(again), again.label_smoothing, again.name) == (
        SmoothedCrossEntropy,
        0.2,
        "cross_entropy",
    )

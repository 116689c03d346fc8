import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.experiment.lookahead import LookaheadSteps
from cifar_keras.experiment.stages import Place
from cifar_keras.optimizers import CoupledSGD
from cifar_keras.recipe.optimizer import Lookahead


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.BatchNormalization(name="bn")(inputs)
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(x))
    model.compile(CoupledSGD(0.1))
    model.optimizer.build(model.trainable_variables)
    return model


def fast(model):
    return [v.numpy().copy() for v in model.get_layer("bn").weights]


def test_every_few_steps_the_network_and_its_slow_copy_meet(model):
    place = Place()
    steps = LookaheadSteps(model, Lookahead(every=2, decay=0.9, power=1)).within(place, 5)
    random = np.random.RandomState(1)
    slow = fast(model)
    steps.on_train_begin()

    for step in range(1, 6):
        place.step = step
        moved = [random.randn(*value.shape).astype("float32") for value in slow]
        for variable, value in zip(model.get_layer("bn").weights, moved, strict=True):
            variable.assign(value)
        steps.on_train_batch_end(step - 1)
        expected = moved
        if step in (2, 4):
            # airbench94.py: copy <- copy + (1 - d)(net - copy), net <- copy; d = 0.9^2 (step/5)^1.
            d = 0.81 * step / 5
            slow = [s + (1 - d) * (m - s) for s, m in zip(slow, moved, strict=True)]
            expected = slow
        if step == 5:
            # At the last step the copy becomes the net.
            expected = slow
        for value, wanted in zip(fast(model), expected, strict=True):
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)


def test_the_slow_copy_holds_the_statistics_too_and_no_random_state(model):
    steps = LookaheadSteps(model, Lookahead(every=5, decay=0.95, power=3))

    assert [variable.name for variable in steps.fast] == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]


def test_the_slow_copy_is_among_the_optimizers_variables(model):
    before = len(model.optimizer.variables)

    steps = LookaheadSteps(model, Lookahead(every=5, decay=0.95, power=3))

    added = model.optimizer.variables[before:]
    assert [id(variable) for variable in added] == [id(variable) for variable in steps.slow]


def test_a_resumed_stage_keeps_its_slow_copy(model):
    steps = LookaheadSteps(model, Lookahead(every=5, decay=0.95, power=3))
    for variable in steps.slow:
        variable.assign(tf.fill(variable.shape, 7.0))

    steps.within(Place(step=3), 10).on_train_begin()
    assert all((variable.numpy() == 7).all() for variable in steps.slow)
    steps.within(Place(step=0), 10).on_train_begin()
    assert not any((variable.numpy() == 7).any() for variable in steps.slow)

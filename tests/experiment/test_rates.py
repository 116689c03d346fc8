import keras
import numpy as np
import pytest

from cifar_keras.experiment.rates import StepRateScheduler
from cifar_keras.experiment.stages import Place, Stage
from cifar_keras.experiment.steps import Steps


class Rates(keras.callbacks.Callback):
    """Keeps the learning rate of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


@pytest.fixture
def train():
    """Train 4 steps per epoch from a place on; return the model, its rates and the logged ones."""

    def train(rate, epochs=1, step=0, count_all=False):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
        model.compile(keras.optimizers.SGD(), "mse")
        place, rates = Place(step=step), Rates()
        steps = Steps(place, Stage(100, 0, rate))
        callbacks = [steps, StepRateScheduler(place, rate, count_all), rates]
        batches = np.zeros((4, 2)), np.zeros((4, 1))
        logged = model.fit(
            *batches, 1, epochs, verbose=0, callbacks=callbacks, shuffle=False
        ).history["learning_rate"]
        assert place.step == step + 4 * epochs
        return model, rates.seen, logged

    return train


def test_a_rate_that_changes_at_each_step_is_set_at_each(train):
    _, rates, logged = train(lambda step: 0.5**step, epochs=2)

    assert rates == [0.5**step for step in range(8)]
    assert logged == [0.5**3, 0.5**7]


def test_a_rate_may_change_inside_an_epoch_and_back(train):
    _, rates, _ = train(lambda step: 0.25 if step in (2, 5) else 0.5, epochs=2)

    assert rates == [0.5, 0.5, 0.25, 0.5, 0.5, 0.25, 0.5, 0.5]


def test_what_is_resumed_inside_a_stage_has_the_rates_of_its_steps(train):
    _, rates, _ = train(lambda step: 1 / (1 + step), step=6)

    assert rates == pytest.approx([1 / 7, 1 / 8, 1 / 9, 1 / 10])


@pytest.mark.parametrize(("count_all", "iterations"), [(False, 4), (True, 10)])
def test_iterations_are_the_steps_of_the_stage_where_all_count(train, count_all, iterations):
    model, _, _ = train(lambda step: 0.5, step=6, count_all=count_all)

    assert int(model.optimizer.iterations) == iterations

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.distribute.devices import make_strategy
from cifar_keras.loss_scale import LossScaleOptimizer, reset_optimizer
from cifar_keras.optimizers import CoupledSGD, VariableGroup

ROOM = 2.0**15


def built(optimizer=None, **arguments):
    """Return an optimizer with loss scaling, momentum 0.9 and learning rate 0.5; its variable."""
    variable = keras.Variable([1.0, 2.0], name="kernel")
    inner = optimizer or CoupledSGD(0.5, momentum=0.9)
    scaled = LossScaleOptimizer(inner, **arguments)
    scaled.build([variable])
    return scaled, variable


def step(optimizer, variable, gradient):
    optimizer.apply([tf.constant(gradient) * optimizer.dynamic_scale], [variable])


@pytest.mark.parametrize(
    ("factor", "scale"), [(1, ROOM), (2, ROOM / 2), (1024, 32), (2000, 16), (0.25, 4 * ROOM)]
)
def test_scale_and_factor_together_begin_near_the_usual_scale(factor, scale):
    optimizer, _ = built(CoupledSGD(loss_factor=factor))

    assert float(optimizer.dynamic_scale) == scale
    assert float(optimizer.scale_loss(tf.constant(3.0))) == 3 * factor * scale


def test_a_factor_of_the_loss_stays_in_the_gradient():
    optimizer, variable = built(CoupledSGD(0.5, loss_factor=16))
    plain = keras.Variable([1.0, 2.0])
    without = CoupledSGD(0.5, loss_factor=16)
    without.build([plain])

    for each, weights in ((optimizer, variable), (without, plain)):
        with tf.GradientTape() as tape:
            loss = each.scale_loss(tf.reduce_sum(weights.value**2))
        each.apply([tape.gradient(loss, weights.value)], [weights])

    # w - 0.5 * 16 * 2 w.
    np.testing.assert_array_equal(variable, [-15, -30])
    np.testing.assert_array_equal(variable, plain)


def test_a_gradient_that_is_not_finite_halves_the_scale_and_moves_nothing():
    optimizer, variable = built()
    step(optimizer, variable, [1.0, 1.0])
    before = [np.array(each) for each in optimizer.inner_optimizer.variables]

    step(optimizer, variable, [np.inf, 1.0])

    np.testing.assert_array_equal(variable, [0.5, 1.5])
    for each, kept in zip(optimizer.inner_optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(each, kept)
    assert float(optimizer.dynamic_scale) == ROOM / 2
    assert int(optimizer.iterations) == 1


def test_after_enough_finite_gradients_the_scale_is_doubled():
    optimizer, variable = built(dynamic_growth_steps=3)

    scales = []
    for _ in range(4):
        step(optimizer, variable, [0.0, 0.0])
        scales.append(float(optimizer.dynamic_scale))

    assert scales == [ROOM, ROOM, 2 * ROOM, 2 * ROOM]


def test_the_rate_is_that_of_the_inner_optimizer():
    optimizer, _ = built()

    optimizer.learning_rate = 0.125

    assert float(optimizer.learning_rate) == float(optimizer.inner_optimizer.learning_rate) == 0.125


def test_a_group_that_matches_nothing_is_told():
    with pytest.raises(ValueError, match=r"Received: variables='gamma'$"):
        built(CoupledSGD(groups=[VariableGroup("gamma")]))


@pytest.mark.parametrize("factor", [1, 4])
def test_it_is_saved_with_what_is_in_it(factor):
    optimizer, _ = built(CoupledSGD(0.5, loss_factor=factor), dynamic_growth_steps=7)

    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))

    assert type(again) is LossScaleOptimizer
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("factor", [1, 16])
def test_anew_momentum_and_counters_are_zero_and_the_scale_is_its_first(factor):
    optimizer, variable = built(CoupledSGD(0.5, momentum=0.9, loss_factor=factor))
    for gradient in ([1.0, 1.0], [np.nan, 1.0], [1.0, 1.0]):
        step(optimizer, variable, gradient)

    reset_optimizer(optimizer)

    assert float(optimizer.dynamic_scale) == ROOM / factor
    others = [each for each in optimizer.variables if each is not optimizer.dynamic_scale]
    assert not any(np.any(each) for each in others)


def test_anew_without_a_scale_everything_is_zero():
    variable = keras.Variable([1.0, 2.0])
    optimizer = CoupledSGD(0.5, momentum=0.9)
    optimizer.build([variable])
    optimizer.apply([tf.constant([1.0, 1.0])], [variable])

    reset_optimizer(optimizer)

    assert not any(np.any(each) for each in optimizer.variables)


def test_all_replicas_skip_a_step_that_is_infinite_on_any():
    strategy = make_strategy("cpu:2")
    with strategy.scope():
        variable = keras.Variable([1.0, 2.0])
        optimizer = LossScaleOptimizer(keras.optimizers.SGD(0.125), 4.0, dynamic_growth_steps=1)
        optimizer.build([variable])

    @tf.function
    def step(infinite):
        def replica():
            here = tf.distribute.get_replica_context().replica_id_in_sync_group
            gradient = tf.where(here == infinite, [np.inf, 1.0], [1.0, 1.0])
            optimizer.apply_gradients([(gradient * optimizer.dynamic_scale, variable)])

        strategy.run(replica)

    found = []
    for infinite in (0, 1, -1):
        step(tf.constant(infinite))
        found.append([*variable.numpy().tolist(), float(optimizer.dynamic_scale.numpy())])

    # Keras' own optimizer would reach -inf at the second step.
    assert found == [[1.0, 2.0, 2.0], [1.0, 2.0, 1.0], [0.75, 1.75, 2.0]]

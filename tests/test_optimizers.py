import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import BatchNormalization
from cifar_keras.optimizers import CoupledSGD

START = np.array([1.0, -2.0, 0.5])
# Five steps, the gradients drawn once.
GRADIENTS = np.array(
    [[0.3, -0.1, 0.7], [0.2, 0.4, -0.6], [-0.5, 0.1, 0.1], [0.9, -0.8, 0.2], [0.0, 0.3, -0.4]]
)
RATE, DECAY = 0.1, 0.05


def after_each_step(optimizer):
    variable = keras.Variable(START, dtype="float32", name="kernel")
    values = []
    for gradient in GRADIENTS:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        values.append(variable.numpy())
    return values


@pytest.mark.parametrize("momentum", [0.9, 0.5])
def test_it_follows_the_published_recurrence(momentum):
    values = after_each_step(CoupledSGD(RATE, momentum, coupled_decay=DECAY))

    # SPEC C.3: v <- m v - rate (g + decay w); w <- w + v.
    w, v = START, np.zeros(3)
    for value, g in zip(values, GRADIENTS, strict=True):
        v = momentum * v - 0.1 * (g + 0.05 * w)
        w = w + v
        np.testing.assert_allclose(value, w, rtol=1e-6, atol=1e-7)


def test_without_momentum_it_is_a_step_down_the_decayed_gradient():
    values = after_each_step(CoupledSGD(RATE, coupled_decay=DECAY))

    w = START
    for value, g in zip(values, GRADIENTS, strict=True):
        w = w - 0.1 * (g + 0.05 * w)
        np.testing.assert_allclose(value, w, rtol=1e-6, atol=1e-7)


def test_nesterov_looks_ahead_along_the_momentum():
    values = after_each_step(CoupledSGD(RATE, 0.9, nesterov=True, coupled_decay=DECAY))

    # SPEC E.1, Caffe's: w <- w + m v - rate (g + decay w), v the new one.
    w, v = START, np.zeros(3)
    for value, g in zip(values, GRADIENTS, strict=True):
        decayed = g + 0.05 * w
        v = 0.9 * v - 0.1 * decayed
        w = w + 0.9 * v - 0.1 * decayed
        np.testing.assert_allclose(value, w, rtol=1e-6, atol=1e-7)


def test_without_decay_it_is_keras_sgd():
    values = after_each_step(CoupledSGD(RATE, 0.9))

    np.testing.assert_array_equal(values, after_each_step(keras.optimizers.SGD(RATE, 0.9)))


def test_keras_own_weight_decay_is_another_rule():
    ours = after_each_step(CoupledSGD(RATE, 0.9, coupled_decay=DECAY))
    theirs = after_each_step(keras.optimizers.SGD(RATE, 0.9, weight_decay=DECAY))

    # One step is the same; from then on ours has the decay in its momentum.
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    assert np.abs(ours[1] - theirs[1]).max() > 0.005


def small_network(regularizer=None):
    keras.utils.set_random_seed(1)
    decayed = {"kernel_regularizer": regularizer, "bias_regularizer": regularizer}
    norm = {"gamma_regularizer": regularizer, "beta_regularizer": regularizer}
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, **decayed),
            BatchNormalization(**norm),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, **decayed),
        ]
    )


def train(model, optimizer, steps=5):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.RandomState(0)
    losses = [
        model.train_on_batch(random.randn(8, 6, 6, 2), random.randint(0, 4, 8))
        for _ in range(steps)
    ]
    return losses, [variable.numpy() for variable in model.trainable_variables]


def test_decay_of_all_is_l2_of_half_of_it_on_every_variable():
    _, values = train(small_network(), CoupledSGD(0.1, 0.9, coupled_decay=0.1))

    regularizer = keras.regularizers.L2(0.05)
    _, expected = train(small_network(regularizer), keras.optimizers.SGD(0.1, 0.9))
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-6)


def test_the_loss_is_free_of_the_penalty():
    [first, *_], _ = train(small_network(), CoupledSGD(0.1, 0.9, coupled_decay=0.1))

    [plain, *_], _ = train(small_network(), keras.optimizers.SGD(0.1, 0.9))
    assert first == plain


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("decayed", "factors"),
    [
        ("all", {"kernel": 0.95, "bias": 0.95, "gamma": 0.95, "beta": 0.95}),
        ("kernels", {"kernel": 0.95, "bias": 1.0, "gamma": 1.0, "beta": 1.0}),
    ],
)
def test_kernels_alone_leaves_biases_and_batch_norm_undecayed(decayed, factors, mirrored):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"]) if mirrored else None
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = small_network()
        optimizer = CoupledSGD(0.1, coupled_decay=0.5, decayed=decayed)
        optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    still = [tf.zeros(variable.shape) for variable in model.trainable_variables]

    def step():
        optimizer.apply(still)

    strategy.run(tf.function(step)) if strategy else step()

    after = {(v.name, round(float(v.numpy().min()), 6)) for v in model.trainable_variables}
    assert after == set(factors.items())


def test_a_mirrored_strategy_trains_as_one_device():
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        model = small_network()
        optimizer = CoupledSGD(0.1, 0.9, coupled_decay=0.1, decayed="kernels")
    _, values = train(model, optimizer)

    optimizer = CoupledSGD(0.1, 0.9, coupled_decay=0.1, decayed="kernels")
    _, expected = train(small_network(), optimizer)
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-7)


def test_another_word_for_the_decayed_is_refused():
    with pytest.raises(
        ValueError, match=r"^`decayed` must be 'all' or 'kernels'. Received: decayed='weights'$"
    ):
        CoupledSGD(decayed="weights")


def test_its_configuration_makes_it_again():
    optimizer = CoupledSGD(0.2, 0.8, True, 0.05, "kernels")

    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))

    assert isinstance(again, CoupledSGD)
    assert (again.momentum, again.nesterov) == (0.8, True)
    assert (again.coupled_decay, again.decayed) == (0.05, "kernels")
    assert float(again.learning_rate) == pytest.approx(0.2)
    assert again.get_config() == optimizer.get_config()
    np.testing.assert_array_equal(after_each_step(again), after_each_step(optimizer))

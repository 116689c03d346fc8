import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import BatchNormalization
from cifar_keras.optimizers import CoupledSGD, MuonSGD, VariableGroup, orthogonalized

START = np.array([1.0, -2.0, 0.5])
# Gradients of five steps, drawn once.
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

    # cifar10_msra.py of apark263/cfmz: v <- m v - rate (g + decay w); w <- w + v.
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

    # flukeskywalker/highway-networks@87d1c8d, Caffe: w <- w + m v - rate (g + decay w), where v is
    # the new one.
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

    # The first step is the same; afterwards our momentum contains the decay.
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


@pytest.fixture(scope="module")
def decayed():
    """Return losses and values after five steps with the decay on every variable."""
    return train(small_network(), CoupledSGD(0.1, 0.9, coupled_decay=0.1))


def test_decay_of_all_is_l2_of_half_of_it_on_every_variable(decayed):
    _, values = decayed

    regularizer = keras.regularizers.L2(0.05)
    _, expected = train(small_network(regularizer), keras.optimizers.SGD(0.1, 0.9))
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-6)


def test_the_loss_is_free_of_the_penalty(decayed):
    [first, *_], _ = decayed

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


def test_the_torch_form_keeps_the_rate_out_of_the_velocity():
    optimizer = CoupledSGD(0.1, 0.9, coupled_decay=0.05, form="torch")
    variable = keras.Variable(START, dtype="float32", name="kernel")

    w, v = START, np.zeros(3)
    for rate, g in zip([0.1, 0.1, 0.01, 0.01, 0.5], GRADIENTS, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(g, tf.float32)], [variable])
        # PyTorch: v <- m v + (g + decay w); w <- w - rate v.
        v = 0.9 * v + (g + 0.05 * w)
        w = w - rate * v
        np.testing.assert_allclose(variable.numpy(), w, rtol=1e-6, atol=1e-7)


def test_the_torch_form_of_nesterov():
    values = after_each_step(CoupledSGD(RATE, 0.9, True, DECAY, form="torch"))

    # PyTorch: d = g + decay w; v <- m v + d; w <- w - rate (d + m v).
    w, v = START, np.zeros(3)
    for value, g in zip(values, GRADIENTS, strict=True):
        d = g + 0.05 * w
        v = 0.9 * v + d
        w = w - 0.1 * (d + 0.9 * v)
        np.testing.assert_allclose(value, w, rtol=1e-6, atol=1e-7)


def test_the_two_forms_agree_while_the_rate_stands():
    torch = after_each_step(CoupledSGD(RATE, 0.9, True, DECAY, form="torch"))

    classic = after_each_step(CoupledSGD(RATE, 0.9, True, DECAY))
    np.testing.assert_allclose(torch, classic, rtol=1e-5, atol=1e-7)


def test_another_word_for_the_form_is_refused():
    with pytest.raises(
        ValueError, match=r"^`form` must be 'classic' or 'torch'. Received: form='keras'$"
    ):
        CoupledSGD(form="keras")


def test_the_loss_factor_makes_a_sum_of_the_mean():
    _, values = train(small_network(), CoupledSGD(0.1, 0.9, loss_factor=8))

    _, expected = train(small_network(), keras.optimizers.SGD(0.8, 0.9))
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-6)


def test_the_loss_factor_leaves_the_reported_loss_alone():
    [first, *_], _ = train(small_network(), CoupledSGD(0.1, loss_factor=8))

    [plain, *_], _ = train(small_network(), keras.optimizers.SGD(0.1))
    assert first == plain


def ones(name, shape=(2,)):
    return keras.Variable(np.ones(shape), dtype="float32", name=name)


def moves(optimizer, variables, steps, gradient=1.0):
    """Return how far each variable has decreased after each step, with a constant gradient."""
    gone = []
    for _ in range(steps):
        optimizer.apply([tf.fill(v.shape, gradient) for v in variables], variables)
        gone.append([float(1 - v.numpy().flat[0]) for v in variables])
    return np.array(gone)


def test_a_group_has_its_own_rate_and_decay():
    groups = [VariableGroup("bias*", rate=2), VariableGroup("*", rate=0.5, weight_decay=0.1)]
    optimizer = CoupledSGD(0.1, coupled_decay=9.0, groups=groups)

    gone = moves(optimizer, [ones("kernel"), ones("bias")], 1)

    # 0.1 * 0.5 * (1 + 0.1) and 0.1 * 2 * 1: the first group that matches counts.
    np.testing.assert_allclose(gone, [[0.055, 0.2]], rtol=1e-5)


def test_what_is_in_no_group_keeps_the_optimizers_own_decay():
    optimizer = CoupledSGD(0.1, coupled_decay=1.0, groups=[VariableGroup("bias")])

    gone = moves(optimizer, [ones("kernel"), ones("bias")], 1)

    np.testing.assert_allclose(gone, [[0.2, 0.1]], rtol=1e-6)


@pytest.mark.parametrize("form", ["classic", "torch"])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_group_can_be_frozen_after_some_steps_momentum_and_all(form, momentum):
    groups = [VariableGroup("bias", steps=2)]
    optimizer = CoupledSGD(0.1, momentum, groups=groups, form=form)

    gone = moves(optimizer, [ones("kernel"), ones("bias")], 4)

    np.testing.assert_allclose(gone[:2, 1], gone[:2, 0])
    assert (gone[1:, 1] == gone[1, 1]).all()
    assert (np.diff(gone[:, 0]) > 0.05).all()
    if momentum:
        # The velocity does not change either: 1.5 gradients after two steps.
        rate = 0.1 if form == "classic" else 1
        np.testing.assert_allclose(np.abs(optimizer.velocities[1].numpy()), 1.5 * rate, rtol=1e-6)


def test_a_group_can_fall_to_zero_on_a_line_of_its_own():
    optimizer = CoupledSGD(0.7, groups=[VariableGroup("bias", rate=0.1, steps=4, linear=True)])

    gone = moves(optimizer, [ones("bias")], 6)

    # 0.1 times 1, 3/4, 2/4, 1/4, 0, 0, for any learning rate of the optimizer.
    np.testing.assert_allclose(
        np.diff(gone[:, 0], prepend=0), [0.1, 0.075, 0.05, 0.025, 0, 0], atol=1e-7
    )


def test_a_group_can_follow_caffes_inverse_schedule():
    optimizer = CoupledSGD(0.1, groups=[VariableGroup("bias", gamma=1.0, power=0.5)])

    gone = moves(optimizer, [ones("bias")], 3)

    np.testing.assert_allclose(
        np.diff(gone[:, 0], prepend=0), [0.1, 0.1 / 2**0.5, 0.1 / 3**0.5], rtol=1e-4
    )


def test_a_group_that_holds_no_variable_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^`variables` of each group must match a trainable variable, as kernel. "
        r"Received: variables='\*/beta'$",
    ):
        CoupledSGD(groups=[VariableGroup("*/beta")]).build([ones("kernel")])


def test_orthogonalized_pulls_all_singular_values_near_to_one():
    matrix = np.random.RandomState(0).randn(6, 40).astype("float32")

    values = np.linalg.svd(orthogonalized(tf.constant(matrix), 5).numpy(), compute_uv=False)

    # The quintic's range, and not exactly 1.
    assert values.min() > 0.65
    assert values.max() < 1.25


def test_orthogonalized_is_the_odd_polynomial_on_the_singular_values():
    matrix = np.random.RandomState(0).randn(9, 4)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)

    found = orthogonalized(tf.constant(matrix), 3).numpy()

    x = s / np.sqrt((s**2).sum())
    for _ in range(3):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    np.testing.assert_allclose(found, u @ np.diag(x) @ vt, rtol=1e-5, atol=1e-6)


def test_muon_steps_as_published():
    random = np.random.RandomState(1)
    start, gradients = random.randn(3, 3, 4, 5), random.randn(3, 3, 3, 4, 5)
    kernel = keras.Variable(start, dtype="float32", name="kernel")
    optimizer = MuonSGD("kernel", 0.2, 0.6, 3, learning_rate=0.5)

    # optim.py of NAVIER-STOKED on the kernel as (filters, rest).
    w, buffer = start.reshape(-1, 5).T, np.zeros((5, 36))
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [kernel])
        g = gradient.reshape(-1, 5).T
        buffer = 0.6 * buffer + g
        x = g + 0.6 * buffer
        x = x / np.linalg.norm(x)
        for _ in range(3):
            m = x @ x.T
            x = 3.4445 * x + (-4.7750 * m + 2.0315 * m @ m) @ x
        w = w * 5**0.5 / np.linalg.norm(w) - 0.5 * 0.2 * x
        np.testing.assert_allclose(kernel.numpy().reshape(-1, 5).T, w, rtol=1e-4, atol=1e-5)


def test_beside_muon_the_others_are_plain_sgd():
    variables = [ones("conv", (3, 3, 2, 4)), ones("bias")]
    optimizer = MuonSGD(
        "conv", learning_rate=0.1, momentum=0.9, groups=[VariableGroup("bias", rate=2)]
    )

    gone = moves(optimizer, variables, 2)[:, 1]

    np.testing.assert_allclose(gone, [0.2, 0.2 + 0.38], rtol=1e-5)


def test_muon_is_refused_for_what_is_no_convolution():
    with pytest.raises(ValueError, match=r"^`muon_variables` must match convolution kernels only"):
        MuonSGD("*").build([ones("conv", (3, 3, 2, 4)), ones("bias")])


def test_the_configuration_of_muon_makes_it_again():
    optimizer = MuonSGD("conv", 0.3, 0.5, 4, [VariableGroup("bias", rate=2)], form="torch")

    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))

    assert isinstance(again, MuonSGD)
    assert again.get_config() == optimizer.get_config()
    assert again.groups == optimizer.groups

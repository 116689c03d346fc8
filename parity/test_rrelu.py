# RReLU draws from the same distributions as in its original frameworks, and its gradient uses the
# slopes that it drew.
import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers import RReLU
from parity.agreement import kolmogorov_smirnov
from parity.exchange import ask

DRAWS = 10**6
# System A's bounds (apache/mxnet@011bde4d), and those of `torch.nn.RReLU`.
CASES = {"mxnet_rrelu": (0.125, 0.334), "torch": (1 / 8, 1 / 3)}


@pytest.fixture(scope="module", params=CASES)
def framework(request):
    return request.param


@pytest.fixture(scope="module")
def both(framework):
    """Return our outputs and theirs for a million inputs of -1; they are the negated slopes."""
    lower, upper = CASES[framework]
    inputs = -np.ones(DRAWS, np.float32)
    keras.utils.set_random_seed(1)
    layer, x = RReLU(lower, upper), tf.Variable(inputs)
    with tf.GradientTape() as tape:
        training = layer(x, training=True)
    mine = {
        "training": training.numpy(),
        "gradient": tape.gradient(training, x).numpy(),
        "test": layer(x, training=False).numpy(),
    }
    theirs = ask(framework, "rrelu", {"inputs": inputs}, lower=lower, upper=upper, seed=1)
    return mine, theirs


def test_slopes_have_the_same_distribution(framework, both, note):
    mine, theirs = both
    statistic, p = kolmogorov_smirnov(-mine["training"], -theirs["training"])

    lower, upper = CASES[framework]
    what = f"RReLU slopes from U({lower:.3f}, {upper:.3f}), 10^6 each: Kolmogorov-Smirnov"
    note("A, F", f"{what} p (D = {statistic:.1e})", framework, f"{p:.2f}", "> 1e-03", p > 1e-3)


def test_other_bounds_are_detected(both):
    mine, theirs = both

    # With a million draws, a shift by a thousandth of the width is detected.
    assert kolmogorov_smirnov(-mine["training"] + 0.0008, -theirs["training"])[1] < 1e-3


def test_the_slope_at_test_time_is_the_same(framework, both, agree):
    mine, theirs = both

    agree("A, F", "RReLU at test time", framework, mine["test"], theirs["test"])


def test_gradients_use_the_slopes_of_the_forward_pass(framework, both, note):
    for side, values in zip(("ours", "theirs"), both, strict=True):
        error = np.abs(values["gradient"] + values["training"]).max()

        what = f"RReLU gradient minus the slope it drew, {side}"
        note("A, F", what, framework, f"{error:.1e}", "0", error == 0)

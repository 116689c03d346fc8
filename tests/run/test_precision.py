"""Runs in mixed precision: what is skipped, what is kept, what diverges."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from cifar_keras.errors import Interrupted, RunError
from cifar_keras.experiment import optimizers
from cifar_keras.loss_scale import LossScaleOptimizer
from cifar_keras.recipe import load_recipe, recipes_folder
from cifar_keras.run.callbacks import Saver

STAGES = (
    "stages=["
    "{epochs: 2, start: scratch, frozen: [], schedule: {kind: linear, learning_rate: 0.1,"
    " knots: [[0, 1], [1, 0.5]]}},"
    "{epochs: 1.5, start: {stage: 1, epoch: 1}, frozen: [],"
    " schedule: {kind: constant, learning_rate: 0.01}}]"
)


def in_precision(job, precision, *overrides):
    """The job of 6 steps an epoch with other stages and in this precision."""
    plain = ["dataset=synthetic10", "data.batch_size=16", "reference=null", STAGES]
    plain += ["model={name: noisy, width: 8}", f"precision={precision}", *overrides]
    return replace(job, recipe=load_recipe(recipes_folder() / "resnet20.yaml", plain))


@pytest.fixture
def restless(monkeypatch):
    """A scale that begins too high and is doubled after every third step."""
    scaled = partial(LossScaleOptimizer, initial_scale=2.0**20, dynamic_growth_steps=3)
    monkeypatch.setattr(optimizers, "LossScaleOptimizer", scaled)


@pytest.fixture
def steps(monkeypatch):
    """(step, rate, scale, iterations) after each step of any run."""
    seen, original = [], Saver.on_train_batch_end

    def noted(self, batch, logs=None):
        optimizer, position = self.model.optimizer, self.position
        numbers = optimizer.learning_rate, optimizer.dynamic_scale, optimizer.iterations
        seen.append((position.step, *(float(each.numpy()) for each in numbers)))
        original(self, batch, logs)

    monkeypatch.setattr(Saver, "on_train_batch_end", noted)
    return seen


@pytest.mark.slow
def test_skipped_steps_are_no_divergence_and_do_not_delay_the_schedule(
    restless, steps, job, dataset, go
):
    go(in_precision(job, "mixed_float16"), dataset)

    numbers, rates, scales, iterations = zip(*steps, strict=True)
    assert numbers == (*range(1, 13), *range(1, 10))
    expected = [0.1 * (1 - 0.5 * step / 12) for step in range(12)] + [0.01] * 9
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    # Each stage begins with the first scale.
    before = [2.0**20, *scales[:11], 2.0**20, *scales[12:-1]]
    skipped = [now < then for now, then in zip(scales, before, strict=True)]
    assert any(skipped[:12])
    assert any(skipped[12:])
    assert any(now > then for now, then in zip(scales, before, strict=True))
    # A skipped step counts from the next one on.
    expected = [step - (1 if late else 0) for step, late in zip(numbers, skipped, strict=True)]
    assert list(iterations) == expected


@pytest.mark.slow
def test_float16_resumes_exactly(
    restless, monkeypatch, job, elsewhere, dataset, same_bits, go, stop_at
):
    interrupted = in_precision(job, "mixed_float16")
    whole = replace(interrupted, folder=elsewhere("whole").folder)
    go(whole, dataset)
    # Within the second epoch, and within the stage that begins anew.
    for count in (8, 7):
        with monkeypatch.context() as patch:
            stop_at(patch, "on_train_batch_end", count)
            with pytest.raises(Interrupted):
                go(interrupted, dataset)

    go(interrupted, dataset)

    same_bits(interrupted.folder, whole.folder)


@pytest.mark.slow
def test_adadelta_and_lookahead_train_under_loss_scaling(job, dataset, go):
    adadelta = "optimizer={name: adadelta, rho: 0.9, epsilon: 1.0e-6}"
    lookahead = "lookahead={every: 3, decay: 0.9, power: 2}"

    result = go(in_precision(job, "mixed_float16", adadelta, lookahead), dataset)

    assert result.steps == 21


def test_a_loss_that_is_no_number_is_divergence_under_loss_scaling_too(job, dataset, go):
    lost = in_precision(job, "mixed_float16", "stages.0.schedule.learning_rate=1.0e+30")

    with pytest.raises(RunError, match="NaN or infinite at epoch 1, step"):
        go(lost, dataset)

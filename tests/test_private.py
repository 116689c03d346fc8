"""The private names of Keras and TensorFlow still do what we use them for."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras import private


@pytest.fixture
def model():
    inputs = keras.Input((4,))
    model = private.Model(inputs, keras.layers.Dense(2, name="logits")(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


BATCH = np.ones((3, 4), np.float32), np.ones((3, 2), np.float32)


def test_the_mean_loss_is_the_one_that_is_logged(model):
    logged = model.evaluate(*BATCH, verbose=0, return_dict=True)["loss"]

    assert float(model.loss_mean.result()) == pytest.approx(logged)


def test_a_loop_takes_a_step_of_its_iterator(model):
    model.fit(*BATCH, verbose=0)
    before = model.get_weights()

    loop = model.loop(model.train_step)
    logs = loop(iter(tf.data.Dataset.from_tensors(BATCH)))

    assert np.isfinite(logs["loss"])
    assert not all(np.array_equal(*both) for both in zip(before, model.get_weights(), strict=True))


def test_what_is_compiled_is_the_wrapped_step(model, monkeypatch):
    def doubled(step):
        return lambda data: {name: 2 * log for name, log in step(data).items()}

    monkeypatch.setattr(private.Model, "wrapped", lambda self, step: doubled(step))
    loop = model.loop(lambda data: {"images": tf.reduce_sum(data[0][:, 0])})

    logs = loop(iter(tf.data.Dataset.from_tensors(BATCH)))

    assert float(logs["images"]) == 6


def test_metrics_are_built_from_a_batch_without_a_step(model):
    before = model.get_weights()

    model.build_state(*map(tf.constant, BATCH))

    assert {"loss", "mae"} <= set(model.get_metrics_result())
    assert all(np.array_equal(*both) for both in zip(before, model.get_weights(), strict=True))


def test_fit_and_evaluate_ask_before_their_first_batch(model, monkeypatch):
    asked = []
    monkeypatch.setattr(private.Model, "before_first_batch", lambda self: bool(asked.append(1)))

    model.fit(*BATCH, verbose=0)
    model.evaluate(*BATCH, verbose=0)

    assert len(asked) >= 2


def test_a_variables_index_is_its_place_among_those_the_optimizer_was_built_with(model):
    kernel, bias = model.trainable_variables
    model.optimizer.build([bias, kernel])

    found = [private.variable_index(model.optimizer, each) for each in (bias, kernel)]

    assert found == [0, 1]


@pytest.mark.parametrize("jit", [True, False])
def test_what_xla_compiles_knows_it(jit):
    seen = []

    @tf.function(jit_compile=jit)
    def traced():
        seen.append(private.in_xla())
        return tf.zeros([])

    traced()

    assert set(seen) == {jit}


@pytest.mark.parametrize("value", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_onednn_is_used_where_the_variable_asks_for_it(monkeypatch, value):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    code = "from cifar_keras.private import uses_onednn; print(uses_onednn())"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == f"{value == '1'}\n"

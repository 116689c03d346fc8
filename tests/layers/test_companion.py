import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.layers.companion import Companion
from cifar_keras.models import multiply_adds

INPUTS = np.arange(12, dtype=np.float32).reshape(2, 1, 2, 3)


def companion(**arguments):
    return Companion(2, 0.5, "ones", **arguments)


def test_inputs_pass_through_unchanged():
    layer = companion()

    for training in (True, False):
        np.testing.assert_array_equal(np.asarray(layer(INPUTS, training=training)), INPUTS)


def test_in_training_the_logits_are_a_linear_layers_on_the_flattened_inputs():
    layer = companion()
    layer.build(INPUTS.shape)
    layer.bias.assign([1, -1])

    layer(INPUTS, training=True)

    # 0 + ... + 5 = 15 and 6 + ... + 11 = 51, and the biases.
    np.testing.assert_array_equal(np.asarray(layer.logits), [[16, 14], [52, 50]])


def test_at_test_nothing_is_computed():
    layer = companion()

    layer(INPUTS, training=False)
    layer(INPUTS)

    assert layer.logits is None


def test_frozen_nothing_is_computed_in_training_either():
    layer = companion()
    layer.trainable = False

    layer(INPUTS, training=True)

    assert layer.logits is None


def test_at_test_no_multiplication_is_counted():
    model = keras.Sequential([keras.Input((1, 2, 3)), companion(), keras.layers.Conv2D(4, 1)])

    # 2 positions, 3 inputs, 4 outputs.
    assert multiply_adds(model, (1, 2, 3)) == 24


def test_variables_are_named_as_those_of_a_dense_layer():
    layer = companion(name="companion1")
    layer.build((None, 1, 2, 3))

    assert [(each.path, each.shape) for each in layer.trainable_variables] == [
        ("companion1/kernel", (6, 2)),
        ("companion1/bias", (2,)),
    ]


def test_a_loss_of_the_logits_trains_what_comes_before():
    conv, layer = keras.layers.Conv2D(3, 1), companion()
    model = keras.Sequential([keras.Input((1, 2, 3)), conv, layer])

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            model(images, training=True)
            loss = tf.reduce_sum(layer.logits)
        return tape.gradient(loss, [conv.kernel.value, layer.kernel.value, layer.bias.value])

    of_conv, of_kernel, of_bias = (each.numpy() for each in gradients(INPUTS))

    # Each of 3 maps enters 2 logits: twice the sum of each channel over images and positions.
    np.testing.assert_allclose(of_conv[0, 0], np.repeat([[36], [44], [52]], 3, axis=1))
    assert of_kernel.shape == (6, 2)
    np.testing.assert_array_equal(of_bias, [2, 2])


REPLICAS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from cifar_keras.layers.companion import Companion

strategy = tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"])
with strategy.scope():
    layer = Companion(2, 1, "ones")
    layer.build((None, 3))

@tf.function
def logits(images):
    def step(own):
        layer(own, training=True)
        return layer.logits
    return strategy.run(step, (images,))

images = strategy.experimental_distribute_values_from_function(
    lambda context: tf.fill((1, 3), 1.0 + context.replica_id_in_sync_group)
)
kept = [each.numpy().tolist() for each in strategy.experimental_local_results(logits(images))]
assert kept == [[[3, 3]], [[6, 6]]], kept
"""


@pytest.mark.slow
def test_each_replica_keeps_the_logits_of_its_own_images():
    # Two logical CPUs must be configured before TensorFlow starts, so in a new process.
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_it_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((1, 2, 3)), companion(name="companion1")])

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[0]

    assert (again.num_classes, again.loss_weight) == (2, 0.5)
    np.testing.assert_array_equal(np.asarray(again.kernel.value), np.ones((6, 2)))
    assert again.get_config() == model.layers[0].get_config()


def test_an_image_of_unknown_size_is_refused():
    with pytest.raises(
        ValueError,
        match=r"`inputs` must be of known shape. Received: input_shape=\(None, None, None, 3\)",
    ):
        companion().build((None, None, None, 3))


def test_in_mixed_precision_the_logits_are_float32_and_the_inputs_pass_through_in_half():
    layer = companion(dtype="mixed_float16")
    images = tf.fill((1, 1, 64, 64), 100.0)

    passed = layer(images, training=True)

    assert passed.dtype == "float16"
    # Beyond what half precision holds.
    np.testing.assert_array_equal(np.asarray(layer.logits), [[409600, 409600]])

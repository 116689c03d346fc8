import keras
import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.experiment.model import TrainingModel
from cifar_keras.layers.companion import Companion

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.rand(6, 8, 8, 3).astype(np.float32)
LABELS = RANDOM.randint(0, 4, 6)


def compiled(inputs, outputs, rate=0.0):
    model = TrainingModel(inputs, outputs)
    model.compile(keras.optimizers.SGD(rate), SmoothedCrossEntropy(0.0))
    return model


def sized():
    """Return a network whose logits are the size and the mean of its images."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    return compiled(inputs, keras.layers.GlobalAveragePooling2D()(x), rate=0.1)


def batch():
    return tf.data.Dataset.from_tensors((IMAGES, LABELS))


def fit(model, steps=1):
    source = batch().repeat()
    return model.fit(source, steps_per_epoch=steps, verbose=0, shuffle=False).history["loss"]


def loss_of(model, images):
    logits = model(images, training=True)
    return float(SmoothedCrossEntropy(0.0)(LABELS, logits))


def test_images_are_resized_inside_the_step():
    model = sized()
    model.image_size = 5
    small = tf.image.resize(IMAGES, (5, 5), "bilinear", antialias=True)
    expected = loss_of(model, small)

    [loss] = fit(model)

    assert loss == pytest.approx(expected, rel=1e-5)
    assert loss != pytest.approx(loss_of(sized(), IMAGES), rel=1e-4)


def test_resizing_is_bilinear_and_antialiased():
    model = sized()
    model.image_size = 4

    # Half the size: a triangle of width 4, its weights 1, 3, 3, 1 of 8, cut off at the edges.
    weights = np.zeros((4, 8))
    for i in range(4):
        for offset, weight in zip(range(-1, 3), (1, 3, 3, 1), strict=True):
            if 0 <= 2 * i + offset < 8:
                weights[i, 2 * i + offset] = weight
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("ih,nhwc,jw->nijc", weights, IMAGES, weights)
    np.testing.assert_allclose(model.resized(tf.constant(IMAGES)), expected, rtol=1e-5)


def test_the_size_may_change_between_steps_and_back():
    model, changing = sized(), sized()

    losses = []
    for size in (5, 8, 5):
        changing.image_size = model.image_size = size
        losses += fit(changing)
        expected = loss_of(model, model.resized(tf.constant(IMAGES)))
        assert losses[-1] == pytest.approx(expected, rel=1e-5)
        model.set_weights(changing.get_weights())


def test_one_step_is_compiled_for_each_size():
    model = sized()
    traced = []
    step = model.train_step
    model.train_step = lambda data: traced.append(model.image_size) or step(data)

    for size in (5, 8, 5, 8, 5):
        model.image_size = size
        fit(model, steps=2)

    assert set(traced) == {5, 8}
    # `tf.function` may trace a step twice for its first call, and never again.
    assert len(traced) <= 4


def test_the_image_size_leaves_tests_alone():
    model = sized()
    whole = model.evaluate(batch(), verbose=0)

    model.image_size = 5

    assert model.evaluate(batch(), verbose=0) == whole


def with_companion(weight=0.5):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, 2, name="conv")(inputs)
    x = Companion(4, weight, "glorot_uniform", name="companion1")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return compiled(inputs, keras.layers.Dense(4, name="logits")(x))


def parts(model):
    """Return the loss of the logits, and that of the companion."""
    inner = keras.Model(model.input, model.get_layer("conv").output)
    features = inner(IMAGES)
    layer = model.get_layer("companion1")
    companion = tf.reshape(features, (6, -1)) @ layer.kernel + layer.bias
    pair = (model(IMAGES), companion)
    return [float(SmoothedCrossEntropy(0.0)(LABELS, logits)) for logits in pair]


def test_a_companion_adds_its_weighted_loss_in_training():
    model = with_companion()
    own, companion = parts(model)

    assert fit(model)[0] == pytest.approx(own + 0.5 * companion, rel=1e-5)


def test_a_companion_adds_nothing_to_the_test():
    model = with_companion()

    assert model.evaluate(batch(), verbose=0) == pytest.approx(parts(model)[0], rel=1e-5)


def test_a_frozen_companion_adds_nothing_and_is_not_trained():
    model = with_companion()
    model.compile(keras.optimizers.SGD(0.1), SmoothedCrossEntropy(0.0))
    model.optimizer.build(model.trainable_variables)
    own, _ = parts(model)
    model.freeze(["companion*"])
    kept = model.get_layer("companion1").kernel.numpy()
    kernel = model.get_layer("conv").kernel.numpy()

    assert fit(model)[0] == pytest.approx(own, rel=1e-5)
    np.testing.assert_array_equal(model.get_layer("companion1").kernel, kept)
    assert np.abs(model.get_layer("conv").kernel - kernel).max() > 0


def test_freezing_takes_hold_of_a_step_that_is_compiled():
    model = with_companion()
    own, companion = parts(model)
    assert fit(model)[0] == pytest.approx(own + 0.5 * companion, rel=1e-5)

    model.freeze(["companion*"])
    assert fit(model)[0] == pytest.approx(own, rel=1e-5)
    model.freeze([])
    assert fit(model)[0] == pytest.approx(own + 0.5 * companion, rel=1e-5)


def test_a_pattern_that_matches_no_layer_is_refused():
    with pytest.raises(
        ValueError, match=r"^`frozen` must match a layer. Received: frozen='compagnion\*'$"
    ):
        with_companion().freeze(["compagnion*"])

# Each test checks one convention on small tensors.
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from cifar_keras.experiment.losses import SmoothedCrossEntropy
from cifar_keras.experiment.model import TrainingModel
from cifar_keras.layers import BatchNormalization
from cifar_keras.layers.padding import pad_all_round
from cifar_keras.optimizers import CoupledSGD
from parity.agreement import relative_error
from parity.exchange import ask


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def convolved(maps, kernel, strides, padding):
    layer = layers.Conv2D(kernel.shape[-1], kernel.shape[:2], strides, padding, use_bias=False)
    layer.build(maps.shape)
    layer.kernel.assign(kernel)
    return layer(maps).numpy()


@pytest.mark.parametrize(
    ("framework", "settings"), [("mxnet", {}), ("torch", {"stride": 2, "padding": 1})]
)
def test_strides_of_2_are_padded_on_all_sides(framework, settings, agree):
    maps, kernel = normal(2, 8, 8, 3), normal(3, 3, 3, 4)
    theirs = ask(framework, "convolution", {"maps": maps, "kernel": kernel}, **settings)["maps"]

    padded, padding = pad_all_round(maps, 3, 2, "pad")
    mine = convolved(padded, kernel, 2, padding)

    agree("A, B, C", "3x3 convolution with stride 2, padded on all sides", framework, mine, theirs)
    # Keras' own "same" pads differently.
    assert relative_error(convolved(maps, kernel, 2, "same"), theirs) > 0.1


@pytest.mark.parametrize("size", [2, 3])
def test_padding_same_of_torch_is_that_of_keras_at_stride_1(size, agree):
    maps, kernel = normal(2, 7, 7, 3), normal(size, size, 3, 4)
    arrays = {"maps": maps, "kernel": kernel}
    theirs = ask("torch", "convolution", arrays, stride=1, padding="same")["maps"]

    mine = convolved(maps, kernel, 1, "same")

    what = f"{size}x{size} convolution, padding 'same'"
    agree("G, H" if size == 3 else "H", what, "torch", mine, theirs)


@pytest.mark.parametrize("size", [28, 14])
def test_the_size_after_max_pooling_is_rounded_up(size, agree):
    # All values are negative, so zero padding would change the maximum.
    maps = -1 - np.abs(normal(2, size, size, 3))
    theirs = ask("mxnet", "pool", {"maps": maps}, kind="max", stride=2)["maps"]

    mine = layers.MaxPooling2D(3, 2, "same")(maps).numpy()

    agree("A", f"3x3 max pooling with stride 2 on {size}x{size}", "mxnet", mine, theirs)


@pytest.mark.parametrize(
    ("framework", "task", "settings"),
    [("mxnet", "pool", {"kind": "avg", "stride": 1}), ("torch", "average_pool", {})],
)
def test_average_pooling_does_not_count_the_padding(framework, task, settings, agree):
    maps = 1 + normal(2, 7, 7, 3)
    theirs = ask(framework, task, {"maps": maps}, **settings)["maps"]

    mine = layers.AveragePooling2D(3, 1, "same")(maps).numpy()

    agree("A", "3x3 average pooling, padding not counted", framework, mine, theirs)


@pytest.mark.parametrize(
    ("system", "framework", "epsilon", "momentum"),
    [("A", "mxnet", 1e-10, 0.1), ("B", "mxnet", 2e-5, 0.9), ("D, H", "torch", 1e-5, 0.9)],
)
def test_batch_norm_updates_the_same_statistics(system, framework, epsilon, momentum, agree):
    # With 18 values per channel, the biased and unbiased variances differ by 6 %.
    batches = 2 + 3 * normal(3, 2, 3, 3, 4)
    unbiased = framework == "torch"
    arrays = {"batches": batches, "upstream": normal(2, 3, 3, 4, seed=2)}
    arrays |= {"gamma": 1 + normal(4, seed=3), "beta": normal(4, seed=4)}
    old_weight = 1 - momentum if framework == "torch" else momentum
    theirs = ask(framework, "batch_norm", arrays, epsilon=epsilon, momentum=old_weight)

    layer = BatchNormalization(momentum=momentum, epsilon=epsilon, unbiased=unbiased)
    layer.build(batches.shape[1:])
    layer.gamma.assign(arrays["gamma"])
    layer.beta.assign(arrays["beta"])
    outputs = []
    for batch in batches:
        x = tf.Variable(batch)
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        outputs.append(y.numpy())
    sources = {"input": x, "gamma": layer.gamma.value, "beta": layer.beta.value}
    gradients = tape.gradient(y, sources, arrays["upstream"])
    mine = {
        "outputs": np.stack(outputs),
        "mean": layer.moving_mean.numpy(),
        "variance": layer.moving_variance.numpy(),
        **{f"{name} gradient": value.numpy() for name, value in gradients.items()},
    }

    kind = "unbiased" if unbiased else "biased"
    what = f"batch norm with momentum {momentum:g}, {kind} moving variance, and its gradients"
    agree(system, what, framework, mine, theirs)


START = np.array([1.0, -2.0, 0.5], np.float32)
GRADIENTS = normal(6, 3, seed=4)
# The learning rate changes, because only then do the two forms of momentum differ.
RATES = np.array([0.1, 0.1, 0.1, 0.01, 0.01, 0.05], np.float32)


def after_each_step(optimizer, rates=RATES):
    variable = keras.Variable(START, dtype="float32", name="kernel")
    found = []
    for gradient, rate in zip(GRADIENTS, rates, strict=True):
        optimizer.learning_rate = float(rate)
        optimizer.apply([tf.constant(gradient)], [variable])
        found.append(variable.numpy())
    return np.stack(found)


@pytest.mark.parametrize(
    ("form", "framework", "nesterov", "decay"),
    [
        ("classic", "mxnet", False, 0.05),
        # MXNet's nag leaves weight decay out of the velocity; no original uses that.
        ("classic", "mxnet", True, 0.0),
        ("torch", "torch", False, 0.05),
        ("torch", "torch", True, 0.05),
    ],
)
def test_momentum_has_the_frameworks_form(form, framework, nesterov, decay, agree):
    arrays = {"start": START, "gradients": GRADIENTS, "rates": RATES}
    settings = {"momentum": 0.9, "decay": decay, "nesterov": nesterov}
    if framework == "mxnet":
        options = {"momentum": 0.9, "wd": decay}
        settings = {"name": "nag" if nesterov else "sgd", "options": options}
    theirs = ask(framework, "rule", arrays, **settings)["values"]

    mine = {
        each: after_each_step(
            CoupledSGD(momentum=0.9, nesterov=nesterov, coupled_decay=decay, form=each)
        )
        for each in ("classic", "torch")
    }

    kind = "Nesterov momentum" if nesterov else "momentum"
    system = "A, B, C, E" if form == "classic" else "D, G, H"
    decayed = "with" if decay else "without"
    what = f"{kind} ({form} form) {decayed} weight decay, changing learning rate, six steps"
    agree(system, what, framework, mine.pop(form), theirs)
    (other,) = mine.values()
    assert relative_error(other, theirs) > 0.01


def test_adadelta_is_mxnets(agree):
    arrays = {"start": START, "gradients": GRADIENTS}
    options = {"rho": 0.9, "epsilon": 1e-5, "wd": 0.0}
    theirs = ask("mxnet", "rule", arrays, name="adadelta", options=options)["values"]

    mine = after_each_step(keras.optimizers.Adadelta(rho=0.9, epsilon=1e-5), np.ones(6))

    # The steps are small compared to the values, so the test compares the steps.
    assert np.abs(theirs - START).max() > 0.01
    agree("B", "Adadelta, six steps", "mxnet", mine - START, theirs - START)


@pytest.mark.parametrize("size", [20, 24])
def test_images_are_resized_as_torch_does_with_antialiasing(size, agree):
    images = normal(2, 32, 32, 3)
    theirs = ask("torch", "resize", {"images": images}, size=size)["images"]

    model = TrainingModel(*two_ends())
    model.image_size = size
    mine = model.resized(tf.constant(images)).numpy()

    agree("H", f"antialiased bilinear resize, 32 to {size}", "torch", mine, theirs)
    plain = tf.image.resize(images, (size, size), "bilinear").numpy()
    assert relative_error(plain, theirs) > 0.01


def two_ends():
    inputs = keras.Input((None, None, 3))
    return inputs, layers.GlobalAveragePooling2D()(inputs)


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 0.25])
def test_smoothed_cross_entropy_is_torchs(smoothing, agree):
    logits, labels = 3 * normal(16, 100), np.random.default_rng(5).integers(0, 100, 16)
    arrays = {"logits": logits, "labels": labels}
    theirs = ask("torch", "cross_entropy", arrays, smoothing=smoothing)

    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = SmoothedCrossEntropy(smoothing)(labels, variable)
    mine = {"loss": loss.numpy(), "gradient": tape.gradient(loss, variable).numpy()}

    agree("D, G, H", f"cross-entropy, label smoothing {smoothing:g}", "torch", mine, theirs)


@pytest.mark.parametrize(("name", "system"), [("gelu", "G"), ("silu", "H")])
def test_the_activation_is_torchs(name, system, agree):
    inputs = np.linspace(-8, 8, 1001, dtype=np.float32)
    theirs = ask("torch", "activation", {"inputs": inputs}, name=name)

    variable = tf.Variable(inputs)
    functions = {
        "gelu": lambda x: keras.activations.gelu(x, approximate=False),
        "silu": keras.activations.silu,
    }
    with tf.GradientTape() as tape:
        outputs = functions[name](variable)
    mine = {"outputs": outputs.numpy(), "gradient": tape.gradient(outputs, variable).numpy()}

    agree(system, {"gelu": "GELU", "silu": "SiLU"}[name], "torch", mine, theirs)

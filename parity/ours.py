"""Our side of the comparison: networks and steps of the shipped recipes, as named arrays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from cifar_keras.distribute.devices import make_strategy
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.experiment.model import TrainingModel
from cifar_keras.layers import RReLU, Whitening
from cifar_keras.recipe import Recipe, load_recipe, recipe_path
from cifar_keras.schedules import Pace
from parity.references.layout import Arrays

SEED = 1


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build networks in `float32` or `float64` inside the context.

    In float64, batch norm uses Keras' own code instead of the fused kernel.
    """
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def recipe(name: str, *overrides: str) -> Recipe:
    """Return a shipped recipe with `KEY=VALUE` overrides."""
    return load_recipe(recipe_path(name), overrides)


def made(chosen: Recipe) -> TrainingModel:
    """Return the recipe's network, compiled for epochs of one step, with dropout off."""
    model = compiled_model(chosen, SEED, make_strategy("cpu"), Pace(1))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout | keras.layers.SpatialDropout2D):
            layer.rate = 0.0
    return model


def set_alive(model: TrainingModel, images: np.ndarray) -> None:
    """Give the model weights as in the middle of training, so that no variable is neutral.

    Biases, gammas, betas and dirac kernels get values other than 0 and 1. Moving statistics are set
    close to those of the images, so that values at test time stay in range.
    """
    draw = np.random.default_rng(SEED)
    for layer in model.layers:
        if isinstance(layer, Whitening):
            layer.adapt(images)
    for name, variable in variables(model).items():
        if name.endswith(("/bias", "/beta", "/gamma")):
            deviation = 0.1
        elif name.endswith("/kernel") and not np.all(variable.numpy()):
            # The maps of a dirac kernel are zero at the border. Which of several equal values max
            # pooling picks would depend on rounding.
            deviation = 0.01
        else:
            continue
        drawn = deviation * draw.standard_normal(variable.shape)
        variable.assign(variable.numpy() + drawn.astype(variable.dtype))
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        factor = draw.uniform(0.8, 1.25, layer.moving_variance.shape)
        factor = factor.astype(layer.moving_variance.dtype)
        layer.moving_variance.assign(layer.moving_variance.numpy() * factor)


def variables(model: TrainingModel) -> dict[str, keras.Variable]:
    """Return the model's weights by name, layer/variable."""
    return {variable.path: variable for variable in model.weights}


def values(model: TrainingModel) -> Arrays:
    """Return the values of the weights."""
    return {name: np.array(variable.numpy()) for name, variable in variables(model).items()}


def passes(model: TrainingModel, images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Return what the reference task `network` returns, computed by our code."""
    test = model(images, training=False).numpy()
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = model.loss(labels, logits)
    found = tape.gradient(loss, [each.value for each in model.trainable_variables])
    gradients = {
        f"gradients/{variable.path}": gradient.numpy()
        for variable, gradient in zip(model.trainable_variables, found, strict=True)
    }
    after = {f"after/{name}": value for name, value in values(model).items()}
    return {"test": test, "training": logits.numpy(), **gradients, **after}


def steps(
    model: TrainingModel, images: np.ndarray, labels: np.ndarray, rates: Sequence[float]
) -> Arrays:
    """Return the weights after a step on each batch, at these learning rates."""
    for batch, truth, rate in zip(images, labels, rates, strict=True):
        model.optimizer.learning_rate = rate
        # Through `fit`, because the model's training step relies on what `fit` prepares.
        source = tf.data.Dataset.from_tensors((batch, truth))
        model.fit(source, shuffle=False, verbose=0)
    return values(model)


def slopes(model: TrainingModel, batch: int) -> Arrays:
    """Return slopes for each RReLU layer and this batch size, by layer name."""
    draw = np.random.default_rng(SEED)
    return {
        layer.name: draw.uniform(layer.lower, layer.upper, (batch, *layer.output.shape[1:])).astype(
            layer.compute_dtype
        )
        for layer in model.layers
        if isinstance(layer, RReLU)
    }


@contextmanager
def injected(model: TrainingModel, drawn: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Make each RReLU layer use the slopes given for its name inside the context."""
    states = {
        id(layer.seed_generator): drawn[layer.name]
        for layer in model.layers
        if isinstance(layer, RReLU)
    }

    def uniform(
        shape: object, generator: keras.random.SeedGenerator, dtype: str, *bounds: float
    ) -> tf.Tensor:
        return tf.constant(states[id(generator)], dtype)

    with mock.patch("cifar_keras.layers.rrelu.uniform", uniform):
        yield

import functools
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import yaml
from tensorflow.python.framework import op_def_registry

from cifar_keras.data.keras_cv_layers import ARGUMENTS, KerasCvLayers, keras_cv_layers
from cifar_keras.data.normalise import normalization
from cifar_keras.data.pipeline import TrainingBatches
from cifar_keras.errors import RecipeError
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.recipe.schema import KerasCvLayer

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (50, 32, 32, 3)).astype(np.uint8)
LABELS = np.arange(50) % 10
USUAL = """
  {layer: RandAugment, arguments: {augmentations_per_image: 2, magnitude: 0.5,
   magnitude_stddev: 0.15, rate: 1, geometric: true}}"""
STRONG = """
  {layer: RandAugment, arguments: {augmentations_per_image: 1, magnitude: 1,
   magnitude_stddev: 0.15, rate: 0.75, geometric: true}}"""
MIX_UP, CUT_MIX = (f"{{layer: {name}, arguments: {{alpha: 1}}}}" for name in ("MixUp", "CutMix"))
MIX = "data.keras_cv=[{layer: MixUp, arguments: {alpha: 0.2}}]"
KINDS = pytest.mark.parametrize(
    "layer", [USUAL, MIX_UP, CUT_MIX], ids=["RandAugment", "MixUp", "CutMix"]
)


def from_recipe(*overrides):
    return keras_cv_layers(load_recipe(recipe_path("resnet20_cv"), overrides).data, 10)


@functools.cache
def built(*layers, size=32, num_classes=10):
    pytest.importorskip("keras_cv")
    sections = [KerasCvLayer(**yaml.safe_load(layer)) for layer in layers]
    return KerasCvLayers(sections, size, num_classes)


def stream(step=0):
    return tf.constant([7, step], tf.int64)


def applied(layers, images, labels, step=0):
    images = tf.constant(images, tf.float32)
    return [each.numpy() for each in layers(images, tf.constant(labels, tf.int32), stream(step))]


def training_batches(*overrides):
    pytest.importorskip("keras_cv")
    overrides = ["data.batch_size=16", *overrides]
    data = load_recipe(recipe_path("resnet20_cv"), overrides).data
    return TrainingBatches(IMAGES, LABELS, data, normalization(data, IMAGES), seed=1)


def batches_of(source, first, last):
    return list(source.dataset(first, last).as_numpy_iterator())


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_argument_of_a_layer_is_to_be_stated(name):
    layer = getattr(pytest.importorskip("keras_cv").layers, name)

    parameters = set(inspect.signature(layer).parameters) - {"seed", "value_range", "kwargs"}
    assert set(ARGUMENTS[name]) == parameters


@KINDS
def test_a_graph_holds_no_state(layer):
    graph = built(layer).graph

    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    stateful = {
        name
        for name in operations
        if (known := op_def_registry.get(name)) is not None and known.is_stateful
    }
    assert stateful == set()
    assert graph.captured_inputs == []
    # The look into the graph would otherwise prove nothing.
    assert any(name.startswith("StatelessRandom") for name in operations)


def test_a_batch_is_the_same_alone_in_sequence_and_made_anew():
    sequence = batches_of(training_batches(), 0, 4)
    anew = training_batches()
    ((images, labels),) = batches_of(anew, 3, 4)
    images_alone, labels_alone = anew.batch(tf.constant(1, tf.int64))

    np.testing.assert_array_equal(images, sequence[3][0])
    np.testing.assert_array_equal(labels, sequence[3][1])
    np.testing.assert_array_equal(images_alone, sequence[1][0])
    np.testing.assert_array_equal(labels_alone, sequence[1][1])


@KINDS
def test_steps_draw_differently(layer):
    layers = built(layer)
    first, second = (applied(layers, IMAGES, LABELS, step)[0] for step in (0, 1))

    differ = (first != second).any(axis=(1, 2, 3))
    # An image may be its own partner, or not be cut.
    assert differ.sum() > 40


def test_two_layers_of_a_kind_draw_differently():
    images, labels = np.zeros((50, 4, 4, 3)), np.arange(50)
    once, twice = (
        applied(built(*[MIX_UP] * count, size=4, num_classes=50), images, labels)[1]
        for count in (1, 2)
    )

    # Of one-hot labels `once` is the mixing matrix; the same draws would apply it once more.
    assert np.abs(twice - once @ once).max() > 0.5


def test_rand_augment_draws_for_each_image():
    copies = np.repeat(IMAGES[:1], 200, axis=0)

    images, labels = applied(built(USUAL), copies, np.zeros(200))

    # Most operations have a strength from a continuum; a few have none and repeat themselves.
    assert len({image.tobytes() for image in images}) > 150
    assert (labels.dtype, labels.shape) == (np.int32, (200,))


def test_rand_augment_leaves_the_share_of_the_rate_alone():
    # The grey levels do not fill their range, so that every operation changes such an image.
    copies = np.repeat(IMAGES[:1] // 2 + 30, 400, axis=0)

    images, _ = applied(built(STRONG), copies, np.zeros(400))

    # 100 expected; five deviations of 8.7.
    unchanged = (np.abs(images - copies) < 0.01).all(axis=(1, 2, 3)).sum()
    assert 100 - 43 < unchanged < 100 + 43


@pytest.mark.parametrize("layer", [STRONG, MIX_UP, CUT_MIX], ids=["RandAugment", "MixUp", "CutMix"])
def test_pixels_stay_within_their_range(layer):
    images, _ = applied(built(layer), IMAGES, LABELS)

    assert images.min() >= 0
    # The strongest contrasts end at white; a little more is float32's rounding.
    assert 250 < images.max() < 255.001


@pytest.mark.parametrize("layer", [MIX_UP, CUT_MIX], ids=["MixUp", "CutMix"])
def test_labels_are_mixed_as_images_are(layer):
    classes = RANDOM.randint(0, 10, 50)
    flat = np.broadcast_to(20.0 * classes[:, None, None, None], (50, 32, 32, 3))

    images, labels = applied(built(layer), flat, classes)

    assert (labels.dtype, labels.shape) == (np.float32, (50, 10))
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert (labels.max(axis=1) < 0.99).sum() > 20
    # A share of the pixels (CutMix) or of each pixel (MixUp) is the partner's.
    levels = labels @ np.arange(0, 200, 20)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), levels, rtol=1e-4)
    assert set(np.unique(images)) <= set(range(0, 200, 20)) or layer == MIX_UP


# The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
@pytest.mark.parametrize(("alpha", "variance"), [(1, 0.0833), (0.2, 0.1786)])
def test_mix_up_draws_a_share_for_each_image(alpha, variance):
    layers = built(MIX_UP.replace("1}", f"{alpha}}}"), size=2, num_classes=1000)

    _, labels = applied(layers, np.zeros((1000, 2, 2, 3)), np.arange(1000))

    shares = np.diag(labels)
    # Five deviations: the square root of the variance, or less, over that of 1,000.
    assert abs(shares.mean() - 0.5) < 5 * 0.42 / 31.6
    assert shares.var() == pytest.approx(variance, rel=0.15)


def test_the_smallest_batch_is_mixed_with_itself():
    images, labels = applied(built(MIX_UP, CUT_MIX), IMAGES[:1], LABELS[:1])

    np.testing.assert_allclose(images, IMAGES[:1], rtol=1e-5)
    np.testing.assert_allclose(labels, [[1] + 9 * [0]], rtol=1e-6)


def test_the_recipe_normalises_what_keras_cv_made():
    raw = training_batches(MIX, "data.mean=none").batch(tf.constant(0, tf.int64))[0]
    centred = training_batches(MIX).batch(tf.constant(0, tf.int64))[0]

    means = IMAGES.reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(centred, raw - means, atol=1e-3)
    assert centred.shape == (16, 32, 32, 3)


def test_tensorflow_has_its_own_functions_back():
    before = [tf.random.uniform, tf.random.normal, tf.random.gamma, tf.random.shuffle]
    generator = tf.random.get_global_generator

    built.__wrapped__(MIX_UP)

    assert [tf.random.uniform, tf.random.normal, tf.random.gamma, tf.random.shuffle] == before
    assert tf.random.get_global_generator is generator


def test_without_keras_cv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)

    with pytest.raises(RecipeError) as caught:
        from_recipe()

    assert str(caught.value) == (
        "data.keras_cv needs keras-cv, which is not installed; "
        "pip install 'cifar_keras[cv]', or set data.keras_cv to []"
    )


def test_without_keras_cv_other_recipes_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)

    assert from_recipe("data.keras_cv=[]") is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.keras_cv.0.layer=RandAugmnt"],
            "unknown keras-cv layer 'RandAugmnt'; did you mean 'RandAugment'?",
        ),
        (
            ["data.keras_cv.0.layer=Mosaic"],
            "unknown keras-cv layer 'Mosaic'; there are: RandAugment, MixUp, CutMix",
        ),
        (
            ["data.keras_cv=[{layer: MixUp, arguments: {alhpa: 0.2}}]"],
            "keras-cv layer 'MixUp' has no argument 'alhpa'; did you mean 'alpha'?",
        ),
        (
            ["data.keras_cv=[{layer: MixUp, arguments: {alpha: 0.2, seed: 1}}]"],
            "keras-cv layer 'MixUp' has no argument 'seed'; it takes: alpha",
        ),
        (
            ["data.keras_cv=[{layer: RandAugment, arguments: {rate: 1, geometric: true}}]"],
            "keras-cv layer 'RandAugment' lacks augmentations_per_image, magnitude, "
            "magnitude_stddev; add to 'arguments'",
        ),
        (
            ["data.keras_cv.0.arguments.rate=1.5"],
            "keras-cv layer 'RandAugment': rate=1.5: Input should be less than or equal to 1",
        ),
        (
            ["data.keras_cv.0.arguments.augmentations_per_image=1.5"],
            "keras-cv layer 'RandAugment': augmentations_per_image=1.5: "
            "Input should be a valid integer",
        ),
        (
            ["data.keras_cv.1.arguments.alpha=0"],
            "keras-cv layer 'MixUp': alpha=0: Input should be greater than or equal to 0.1",
        ),
        (
            [MIX, "data.mean=image"],
            "data.mean 'image' is not defined behind data.keras_cv; write channel",
        ),
        (
            [MIX, "data.padding=zeros"],
            "data.padding 'zeros' is not defined behind data.keras_cv; write reflect or mean",
        ),
        (
            [MIX, "data.contrast=55", "data.mean=none"],
            "data.contrast is not defined behind data.keras_cv; write none",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(overrides, message):
    with pytest.raises(RecipeError) as caught:
        from_recipe(*overrides)

    assert str(caught.value) == message


@pytest.mark.slow
def test_nothing_is_said_on_stderr():
    pytest.importorskip("keras_cv")
    code = (
        "from cifar_keras.quiet import import_tensorflow; import_tensorflow();"
        "import numpy as np;"
        "from cifar_keras.data.pipeline import TrainingBatches;"
        "from cifar_keras.data.normalise import normalization;"
        "from cifar_keras.recipe import load_recipe, recipe_path;"
        "data = load_recipe(recipe_path('resnet20_cv')).data;"
        "images = np.zeros((200, 32, 32, 3), np.uint8);"
        "norm = normalization(data, images);"
        "source = TrainingBatches(images, np.arange(200) % 10, data, norm, 1);"
        "print(len(list(source.dataset(0, 3))))"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )

    assert (done.stdout, done.stderr) == ("3\n", "")

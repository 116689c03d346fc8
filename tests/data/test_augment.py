import functools
import inspect
import os
import subprocess
import sys
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from cifar_keras.data.augment import Batch, Keyed, transforms
from cifar_keras.data.augment.crop_and_flip import pad_images
from cifar_keras.data.augment.cut_mix import CutMix
from cifar_keras.data.augment.cutout import Cutout
from cifar_keras.data.augment.mix_up import MixUp
from cifar_keras.data.augment.rand_augment import RandAugment
from cifar_keras.data.normalize import normalization
from cifar_keras.data.pipeline import TrainingBatches
from cifar_keras.data.streams import Stream
from cifar_keras.errors import MissingPackage, RecipeError
from cifar_keras.recipe import load_recipe, recipe_path

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (50, 32, 32, 3)).astype(np.uint8)
LABELS = np.arange(50) % 10
USUAL = {"augmentations_per_image": 2, "magnitude": 0.5, "magnitude_stddev": 0.15, "rate": 1.0}
STRONG = {"augmentations_per_image": 1, "magnitude": 1.0, "magnitude_stddev": 0.15, "rate": 0.75}
MIX = "data.keras_cv=[{layer: MixUp, arguments: {alpha: 0.2}}]"


def rand_augment(arguments=USUAL):
    pytest.importorskip("keras_cv")
    return traced(RandAugment(**arguments, geometric=True))


@functools.cache
def traced(layer):
    # Equal layers have equal hashes, so each is traced once.
    return layer


KINDS = pytest.mark.parametrize(
    "build",
    [rand_augment, lambda: MixUp(1), lambda: CutMix(1), lambda: Cutout(8)],
    ids=["RandAugment", "MixUp", "CutMix", "Cutout"],
)
MIXES = pytest.mark.parametrize("layer", [MixUp(1), CutMix(1)], ids=["MixUp", "CutMix"])


def batch_of(images, labels=LABELS, num_classes=10):
    images, labels = tf.constant(images, tf.float32), tf.constant(labels, tf.int32)
    count = tf.shape(images)[0]
    unread = tf.zeros((count, 1), tf.int32)
    return Batch(
        images,
        labels,
        tf.range(count),
        unread,
        unread,
        unread[:, 0] > 0,
        count,
        slice(None),
        num_classes,
    )


def applied(layer, images, labels=LABELS, step=0, num_classes=10):
    key = tf.constant([7, step], tf.int64)
    batch = layer(batch_of(images, labels, num_classes), key)
    return batch.images.numpy(), batch.labels.numpy()


def applied_to_copies(layer, image, batches):
    """The images made of an image's copies, in batches of 50, for which the layer is traced."""
    copies = np.repeat(image[None], 50, axis=0)
    made = [applied(layer, copies, step=step) for step in range(batches)]
    assert all((labels == LABELS).all() for _, labels in made)
    return np.concatenate([images for images, _ in made])


def from_recipe(*overrides):
    data = load_recipe(recipe_path("resnet20_cv"), overrides).data
    return transforms(data, IMAGES, normalization(data, IMAGES))


def training_batches(*overrides):
    overrides = ["data.batch_size=16", *overrides]
    data = load_recipe(recipe_path("resnet20_cv"), overrides).data
    return TrainingBatches(IMAGES, LABELS, data, normalization(data, IMAGES), seed=1)


def batches_of(source, first, last):
    return list(source.dataset(first, last).as_numpy_iterator())


@pytest.mark.parametrize("mode", ["mean", "reflect"])
def test_padding_is_numpys(mode):
    expected = np.stack([np.pad(image, ((4, 4), (4, 4), (0, 0)), mode=mode) for image in IMAGES])

    np.testing.assert_array_equal(pad_images(IMAGES, mode, 4), expected)


def test_no_padding_leaves_the_images_alone():
    np.testing.assert_array_equal(pad_images(IMAGES, "none", 0), IMAGES)


@pytest.mark.slow
def test_every_argument_of_keras_cvs_layer_is_to_be_stated():
    layer = pytest.importorskip("keras_cv").layers.RandAugment

    parameters = set(inspect.signature(layer).parameters) - {"seed", "value_range", "kwargs"}
    assert {field.name for field in fields(RandAugment)} == parameters


@KINDS
def test_a_transform_holds_no_state(build):
    layer, batch = build(), batch_of(IMAGES)

    @tf.function
    def graph(images, labels, key):
        transformed = layer(replace(batch, images=images, labels=labels), key)
        return transformed.images, transformed.labels

    key = tf.constant([7, 0], tf.int64)
    definition = graph.get_concrete_function(batch.images, batch.labels, key).graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    operations = {node.op for node in nodes}
    stateful = {
        name
        for name in operations
        if (known := op_def_registry.get(name)) is not None and known.is_stateful
    }
    assert stateful == set()
    # Without this, the check above could pass on an empty graph.
    assert any(name.startswith("StatelessRandom") for name in operations)


def test_a_batch_is_the_same_alone_in_sequence_and_made_anew():
    pytest.importorskip("keras_cv")
    sequence = batches_of(training_batches(), 0, 4)
    anew = training_batches()
    ((images, labels),) = batches_of(anew, 3, 4)
    images_alone, labels_alone = anew.batch(tf.constant(1, tf.int64))

    np.testing.assert_array_equal(images, sequence[3][0])
    np.testing.assert_array_equal(labels, sequence[3][1])
    np.testing.assert_array_equal(images_alone, sequence[1][0])
    np.testing.assert_array_equal(labels_alone, sequence[1][1])


@pytest.mark.parametrize(
    "layers",
    [
        "{layer: RandAugment, arguments: {augmentations_per_image: 2, magnitude: 0.5, "
        "magnitude_stddev: 0.15, rate: 0.9, geometric: true}}",
        "{layer: MixUp, arguments: {alpha: 0.2}}",
        "{layer: CutMix, arguments: {alpha: 1}}",
        "",
    ],
    ids=["RandAugment", "MixUp", "CutMix", "cutout"],
)
def test_replicas_see_what_one_device_sees(layers):
    if "RandAugment" in layers:
        pytest.importorskip("keras_cv")
    source = training_batches(f"data.keras_cv=[{layers}]", "data.cutout=8")
    step = tf.constant(5, tf.int64)

    images, labels = source.batch(step)
    shards = [source.batch(step, replica, 2) for replica in range(2)]

    np.testing.assert_array_equal(np.concatenate([shard[0] for shard in shards]), images)
    np.testing.assert_array_equal(np.concatenate([shard[1] for shard in shards]), labels)


@KINDS
def test_steps_draw_differently(build):
    layer = build()
    first, second = (applied(layer, IMAGES, step=step)[0] for step in (0, 1))

    differ = (first != second).any(axis=(1, 2, 3))
    # An image may be its own partner, or not be cut.
    assert differ.sum() > 40


def test_two_layers_of_a_kind_draw_differently():
    images, labels = np.zeros((50, 4, 4, 3)), np.arange(50)

    def mixed(count):
        batch = batch_of(images, labels, num_classes=50)
        for place in range(count):
            batch = Keyed(MixUp(1), Stream.KERAS_CV, place)(batch, 7, tf.constant(0, tf.int64))
        return batch.labels.numpy()

    # With one-hot labels `mixed(1)` is the mixing matrix. The same random numbers would apply it
    # twice.
    assert np.abs(mixed(2) - mixed(1) @ mixed(1)).max() > 0.5


def test_rand_augment_draws_for_each_image():
    images = applied_to_copies(rand_augment(), IMAGES[0], 4)

    # Most operations have a continuous strength. A few have none, so their results repeat.
    assert len({image.tobytes() for image in images}) > 150


def test_rand_augment_leaves_the_share_of_the_rate_alone():
    # The pixel values do not fill their range, so every operation changes such an image.
    image = IMAGES[0] // 2 + 30

    images = applied_to_copies(rand_augment(STRONG), image, 8)

    # 100 expected; five standard deviations of 8.7.
    unchanged = (np.abs(images - image) < 0.01).all(axis=(1, 2, 3)).sum()
    assert 100 - 43 < unchanged < 100 + 43


@pytest.mark.slow
def test_rand_augment_is_as_strong_as_keras_cvs_own():
    # keras-cv asks for it, and TensorFlow makes none where an earlier test turned determinism on.
    tf.random.set_global_generator(tf.random.Generator.from_seed(1))
    ours = rand_augment(STRONG | {"magnitude": 0.2})
    own = pytest.importorskip("keras_cv").layers.RandAugment((0, 255), **asdict(ours))
    copies = np.repeat(IMAGES[:1] // 2 + 30, 1000, axis=0).astype(np.float32)
    tf.random.set_seed(1)

    images = [applied(ours, copies, np.zeros(1000))[0], tf.function(own)(copies).numpy()]

    changes = np.stack([np.abs(each - copies).mean(axis=(1, 2, 3)) for each in images])
    moments = np.stack([changes, changes**2])
    error = np.sqrt(moments.var(axis=-1).sum(axis=-1) / 1000)
    assert (np.abs(moments[:, 0].mean(axis=-1) - moments[:, 1].mean(axis=-1)) < 5 * error).all()


@pytest.mark.parametrize(
    "build",
    [lambda: rand_augment(STRONG), lambda: MixUp(1), lambda: CutMix(1)],
    ids=["RandAugment", "MixUp", "CutMix"],
)
def test_pixels_stay_within_their_range(build):
    images, _ = applied(build(), IMAGES)

    assert images.min() >= 0
    # The strongest contrasts reach white. Slightly larger values are rounding errors of float32.
    assert 250 < images.max() < 255.001


@MIXES
def test_labels_are_mixed_as_images_are(layer):
    classes = RANDOM.randint(0, 10, 50)
    flat = np.broadcast_to(20.0 * classes[:, None, None, None], (50, 32, 32, 3))

    images, labels = applied(layer, flat, classes)

    assert (labels.dtype, labels.shape) == (np.float32, (50, 10))
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    assert (labels.max(axis=1) < 0.99).sum() > 20
    # A fraction of the pixels (CutMix) or of each pixel's value (MixUp) is the partner's.
    levels = labels @ np.arange(0, 200, 20)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), levels, rtol=1e-4)
    assert set(np.unique(images)) <= set(range(0, 200, 20)) or layer == MixUp(1)


# The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
@pytest.mark.parametrize(("alpha", "variance"), [(1, 0.0833), (0.2, 0.1786)])
def test_mix_up_draws_a_share_for_each_image(alpha, variance):
    images, labels = np.zeros((1000, 2, 2, 3)), np.arange(1000)

    _, labels = applied(MixUp(alpha), images, labels, num_classes=1000)

    shares = np.diag(labels)
    # Five standard errors: at most the square root of variance / 1,000.
    assert abs(shares.mean() - 0.5) < 5 * 0.42 / 31.6
    assert shares.var() == pytest.approx(variance, rel=0.15)


@MIXES
def test_the_smallest_batch_is_mixed_with_itself(layer):
    images, labels = applied(layer, IMAGES[:1], LABELS[:1])

    np.testing.assert_allclose(images, IMAGES[:1], rtol=1e-5)
    np.testing.assert_allclose(labels, [[1] + 9 * [0]], rtol=1e-6)


def test_the_recipe_normalizes_what_the_layers_made():
    raw = training_batches(MIX, "data.mean=none").batch(tf.constant(0, tf.int64))[0]
    centered = training_batches(MIX).batch(tf.constant(0, tf.int64))[0]

    means = IMAGES.reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(centered, raw - means, atol=1e-3)
    assert centered.shape == (16, 32, 32, 3)


def test_without_keras_cv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)

    with pytest.raises(MissingPackage) as caught:
        from_recipe()

    assert str(caught.value) == (
        "data.keras_cv 'RandAugment' needs keras_cv, which is not installed; "
        "pip install 'cifar_keras[cv]'"
    )


@pytest.mark.parametrize("layers", ["data.keras_cv=[]", MIX])
def test_without_keras_cv_what_needs_it_not_works(layers, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)

    assert from_recipe(layers)


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
            "data.mean 'image' cannot be combined with data.keras_cv; write channel",
        ),
        (
            [MIX, "data.padding=zeros"],
            "data.padding 'zeros' cannot be combined with data.keras_cv; write reflect or mean",
        ),
        (
            [MIX, "data.contrast=55", "data.mean=none"],
            "data.contrast cannot be combined with data.keras_cv; write none",
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
        "from cifar_keras.data.normalize import normalization;"
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

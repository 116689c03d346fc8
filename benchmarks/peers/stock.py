"""Stock Keras on TensorFlow: its own layers, augmentation in tf.data, optimizers and defaults.

    python -m benchmarks.peers.stock FAMILY FOLDER [--bfloat16]

It imports nothing of ours, because that would set environment variables.
"""

import sys
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.families import EVALUATED_AT_ONCE, FAMILIES, Family
from benchmarks.peers.arrays import Arrays, read
from benchmarks.peers.service import NEVER, Case, serve, timed

# Family -> (optimizer, arguments). Keras' Muon leaves convolutions to Adam.
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "airbench94": ("SGD", {"learning_rate": 0.1, "momentum": 0.85, "nesterov": True}),
    "speedrun100": ("Muon", {"learning_rate": 1e-3}),
}
SGD = "SGD", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 1e-4}
SMOOTHING = {"airbench94": 0.2, "speedrun100": 0.25}


def main() -> None:
    """Serve one family."""
    name, folder, *options = sys.argv[1:]
    policy = "mixed_bfloat16" if "--bfloat16" in options else "float32"
    serve(lambda: _made(FAMILIES[name], read(Path(folder)), policy))


def _made(family: Family, arrays: Arrays, policy: str) -> tuple[Mapping[str, Case], dict[str, Any]]:
    import keras
    import tensorflow as tf

    from benchmarks.peers.steady import Steady

    tests = test_batches(family, arrays)
    cases: dict[str, Case] = {}
    for size in family.sizes:
        model = compiled(family, size, policy)
        train = training_batches(family, arrays, size)

        def fit(steady: Steady, model: Any = model, train: Any = train) -> None:
            model.fit(train, steps_per_epoch=NEVER, callbacks=[steady], verbose=0)

        cases[family.case(size)] = Steady(fit)
    alone = iter(train)
    # The last model has the size of the test images.
    cases["evaluate"] = timed(lambda steps: model.evaluate(tests.take(steps), verbose=0))
    cases["pipeline"] = timed(lambda steps: deque(islice(alone, steps), maxlen=0))
    return cases, {"versions": {"keras": keras.__version__, "tensorflow": tf.__version__}}


def compiled(family: Family, size: int, policy: str = "float32") -> Any:
    """Return the network built with a dtype policy and compiled with Keras' defaults."""
    import keras

    from benchmarks.peers.stock_networks import NETWORKS

    keras.mixed_precision.set_dtype_policy(policy)
    model = NETWORKS[family.name](size, family.num_classes)
    # Augmentation layers stay in float32: 8 bits are too few for positions in an image.
    keras.mixed_precision.set_dtype_policy("float32")
    optimizer, arguments = OPTIMIZERS.get(family.name, SGD)
    smoothing = SMOOTHING.get(family.name, 0.0)
    if smoothing:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    kind = getattr(keras.optimizers, optimizer)
    model.compile(kind(**arguments), loss, metrics=["accuracy"])
    return model


def augmentation(family: Family, arrays: Arrays, size: int) -> Any:
    """Return Keras' layers for crop, flip, normalization and resizing."""
    import keras

    steps: list[Any] = []
    if family.pad:
        share = family.pad / family.crop
        steps.append(keras.layers.RandomTranslation(share, share, interpolation="nearest"))
    elif family.crop < arrays.train_images.shape[1]:
        steps.append(keras.layers.RandomCrop(family.crop, family.crop))
    steps += [keras.layers.RandomFlip("horizontal"), normalization(arrays)]
    if size != family.crop:
        steps.append(keras.layers.Resizing(size, size, antialias=True))
    return keras.Sequential(steps)


def normalization(arrays: Arrays) -> Any:
    """Return the layer that subtracts channel means and divides by standard deviations."""
    import keras

    return keras.layers.Normalization(mean=arrays.mean, variance=arrays.deviation**2)


def training_batches(family: Family, arrays: Arrays, size: int) -> Any:
    """Return an endless data set of shuffled and augmented batches."""
    import tensorflow as tf

    augment = augmentation(family, arrays, size)
    data = tf.data.Dataset.from_tensor_slices(
        (arrays.train_images, _labels(family, arrays, "train"))
    )
    batches = data.shuffle(len(data)).batch(family.batch_size, drop_remainder=True).repeat()
    return batches.map(
        lambda images, labels: (augment(images, training=True), labels), tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)


def test_batches(family: Family, arrays: Arrays) -> Any:
    """Return batches of the test images in order, cropped to the center."""
    import keras
    import tensorflow as tf

    prepare = keras.Sequential(
        [keras.layers.CenterCrop(family.crop, family.crop), normalization(arrays)]
    )
    data = tf.data.Dataset.from_tensor_slices((arrays.test_images, _labels(family, arrays, "test")))
    batches = data.batch(EVALUATED_AT_ONCE).map(
        lambda images, labels: (prepare(images), labels), tf.data.AUTOTUNE
    )
    return batches.prefetch(tf.data.AUTOTUNE)


def _labels(family: Family, arrays: Arrays, part: str) -> Any:
    import keras

    labels = getattr(arrays, f"{part}_labels")
    if family.name in SMOOTHING:
        return keras.utils.to_categorical(labels, family.num_classes)
    return labels


if __name__ == "__main__":
    main()

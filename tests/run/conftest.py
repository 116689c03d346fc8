import os
import signal
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.data import Dataset, Split
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.layers import BatchNormalization, Dropout, RReLU, SpatialDropout2D
from cifar_keras.models import MODELS
from cifar_keras.recipe import Recipe, load_recipe, recipes_folder
from cifar_keras.run.callbacks import Agreement
from cifar_keras.run.folder import Job
from cifar_keras.run.train import Every, train

STAGES = (
    "stages=["
    "{epochs: 3, start: scratch, frozen: [], schedule: {kind: steps, learning_rates: [0.1, 0.05],"
    " boundaries: [1.5]}},"
    "{epochs: 1.5, start: {stage: 1, epoch: 2}, frozen: [],"
    " schedule: {kind: constant, learning_rate: 0.01}}]"
)


def noisy(input_shape: tuple[int, int, int], num_classes: int, width: int) -> keras.Model:
    """Everything that has a state: batch norm, RReLU, dropout of elements and of channels."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, 4, use_bias=False, name="conv")(inputs)
    x = RReLU(1 / 8, 1 / 3, name="rrelu")(BatchNormalization(name="bn")(x))
    x = SpatialDropout2D(0.2, name="channels")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(0.3, name="elements")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits")(x))


@pytest.fixture(autouse=True)
def noisy_is_a_model(monkeypatch):
    monkeypatch.setitem(MODELS, "noisy", noisy)


@pytest.fixture
def recipe() -> Recipe:
    """Two stages of 6 steps an epoch, rates that change inside an epoch, crops and flips."""
    overrides = [
        "dataset=synthetic10",
        "model={name: noisy, width: 8}",
        "data.batch_size=16",
        "reference=null",
        STAGES,
    ]
    return load_recipe(recipes_folder() / "resnet20.yaml", overrides)


@pytest.fixture
def dataset() -> Dataset:
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    return Dataset(
        name="synthetic10",
        train=split(90),
        test=split(30),
        class_names=tuple("abcdefghij"),
        provenance={"name": "synthetic10", "synthetic": True, "content_sha256": {"train": "1"}},
    )


@pytest.fixture
def job(recipe, tmp_path) -> Job:
    return Job(
        name="noisy",
        recipe=recipe,
        seed=3,
        budget="1",
        overrides=(),
        folder=tmp_path / "runs" / "noisy" / "seed-3",
        command=("cifar-keras", "train"),
    )


@pytest.fixture
def elsewhere(job, tmp_path):
    return lambda name: replace(job, folder=tmp_path / name / "noisy" / "seed-3")


@pytest.fixture
def go():
    """Train a job to its end, saving every so many steps or seconds."""
    return lambda job, dataset, **every: train(job, dataset, make_strategy("cpu"), Every(**every))


@pytest.fixture
def stop_at():
    """Send a real signal to this process at the `count`th call of a hook of `Agreement`."""

    def stop(monkeypatch, hook, count, number=signal.SIGTERM):
        original, calls = getattr(Agreement, hook), [0]

        def hooked(self, *args, **kwargs):
            calls[0] += 1
            if calls[0] == count:
                os.kill(os.getpid(), number)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(Agreement, hook, hooked)

    return stop


@pytest.fixture
def same_bits():
    """Assert that two runs ended with the same weights and history, but for times."""

    def history(folder):
        timing = {"seconds", "images_per_second"}
        return [row.model_dump(exclude=timing) for row in records.read_history(folder)]

    def assert_same(one, other):
        assert history(one) == history(other)
        ours, theirs = weights_of(one), weights_of(other)
        assert ours.keys() == theirs.keys()
        assert len(ours) > 6
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)

    return assert_same


def weights_of(folder):
    arrays = {}
    with h5py.File(folder / records.WEIGHTS) as file:
        file.visititems(
            lambda name, node: arrays.update({name: node[()]}) if hasattr(node, "dtype") else None
        )
    return arrays


@pytest.fixture(name="weights_of")
def weights_of_fixture():
    """A function from a run folder to its arrays by name."""
    return weights_of


STAGES_OF_NOISY = """stages:
  - epochs: {first}
    start: scratch
    frozen: []
    schedule: {{kind: linear, learning_rate: 0.1, knots: [[0, 0.2], [0.3, 1.0], [1, 0.1]]}}
  - epochs: {second}
    start: {{stage: 1, epoch: {start}}}
    frozen: []
    schedule: {{kind: constant, learning_rate: 0.01}}
"""


# Whatever keeps a state of its own between steps.
OPTIMIZER = """optimizer:
  name: muon
  variables: "conv*/kernel"
  rate: 0.5
  momentum: 0.6
  newton_schulz_steps: 3
  others:
    name: sgd
    form: torch
    momentum: 0.9
    nesterov: true
    weight_decay: 1.0e-4
    decayed: kernels
    loss_factor: 1
    groups:
      - {variables: bn/beta, rate: 2, weight_decay: 0, schedule: {kind: until, epochs: 1}}
label_smoothing: 0.1
lookahead: {every: 5, decay: 0.95, power: 3}
"""


def write_recipe(path, epochs, minimal=False):
    head = "base: demo\ntitle: noisy\n"
    data = "data: {sizes: [[0.3, 20], [0.6, 24], [1, 32]]}\n"
    model = f"model: {{name: noisy, width: 32, minimal: {str(minimal).lower()}}}\n"
    stages = STAGES_OF_NOISY.format(first=epochs, second=epochs / 2 + 0.5, start=epochs - 1)
    path.write_text(head + model + data + OPTIMIZER + stages)


@pytest.fixture(scope="session", name="write_recipe")
def write_recipe_fixture():
    """A function that writes a recipe for the network of noisy.py, two stages of all parts."""
    return write_recipe


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run of each test's job, made once."""
    return {"root": tmp_path_factory.mktemp("whole")}


@pytest.fixture
def uninterrupted(whole, job, dataset, go):
    if "folder" not in whole:
        folder = whole["root"] / "noisy" / "seed-3"
        go(replace(job, folder=folder), dataset)
        whole["folder"] = folder
    return whole["folder"]

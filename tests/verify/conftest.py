import json
import shutil

import keras
import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.data import Dataset, Split
from cifar_keras.distribute.devices import make_strategy
from cifar_keras.evaluate import evaluate_views
from cifar_keras.layers import convolution
from cifar_keras.models import build_model
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run.folder import Job
from cifar_keras.run.train import Every, train
from cifar_keras.verify import verify_run

OVERRIDES = (
    "data.batch_size=16",
    "stages=[{epochs: 3, start: scratch, frozen: [],"
    " schedule: {kind: steps, learning_rates: [0.1, 0.01], boundaries: [2]}}]",
)


@pytest.fixture(scope="session")
def dataset():
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    return Dataset(
        name="synthetic10",
        train=split(48),
        test=split(200),
        class_names=tuple("abcdefghij"),
        provenance={
            "name": "synthetic10",
            "synthetic": True,
            "content_sha256": {"train": "1" * 64, "test": "2" * 64},
        },
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory, dataset):
    """Return the folders of a finished run of three demo epochs, and of it with other weights.

    Both have augmented accuracies of their own.
    """
    root = tmp_path_factory.mktemp("runs") / "demo"
    recipe = load_recipe(recipe_path("demo"), OVERRIDES)
    job = Job("demo", recipe, 1, "1", OVERRIDES, root / "seed-1", ("cifar-keras", "train"))
    with pytest.MonkeyPatch.context() as patch:
        # XLA would compile Winograd convolution, which does not matter here.
        patch.setattr(convolution, "_LEAST_CHANNELS", 1000)
        train(job, dataset, make_strategy("cpu"), Every())
    other = shutil.copytree(job.folder, root / "other")
    keras.utils.set_random_seed(2)
    model = recipe.model
    network = build_model(model.name, recipe.input_shape, recipe.num_classes, model.arguments)
    network.save_weights(other / records.WEIGHTS)
    for folder in (job.folder, other):
        evaluate_views(folder, records.read_run(folder), dataset)
    return job.folder, other


@pytest.fixture
def folder(trained, tmp_path):
    """Return a copy of the first run."""
    return shutil.copytree(trained[0], tmp_path / "run")


@pytest.fixture
def checks(dataset):
    """Return a function from a folder to its checks by name."""

    def checks(folder):
        return {
            check.name: check for check in verify_run(folder, records.read_run(folder), dataset)
        }

    return checks


@pytest.fixture
def failing(checks):
    """Return a function from a folder to the names of the checks that fail."""
    return lambda folder: [name for name, check in checks(folder).items() if check.state == "FAILS"]


@pytest.fixture
def edit():
    """Return a function that changes keys of a JSON file."""

    def edit(path, **changes):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


@pytest.fixture
def of_an_earlier_version(folder):
    """Return the folder as an earlier version wrote it: without the hashes of its files.

    It also lacks tta.json and preprocessing.json.
    """
    for name in (records.TTA, records.PREPROCESSING):
        (folder / name).unlink()
    tree = json.loads((folder / records.RUN).read_text())
    tree["events"] = [each for each in tree["events"] if each["kind"] != "evaluated"]
    for event in tree["events"]:
        del event["files"]
    (folder / records.RUN).write_text(json.dumps(tree))
    return folder

import shutil
import signal

import numpy as np
import pytest
from made import made_result, made_run

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.data import Dataset, Split
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    # A shell without job control has its background jobs ignore SIGINT, and so these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and no data but what a test puts somewhere."""
    for variable in ("HOME", "KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("CIFAR_KERAS_DATA", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def refused(capsys):
    """Run a command that fails; its exit code and its one line on stderr."""

    def refused(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return code, err.rstrip("\n")

    return refused


@pytest.fixture
def dataset(monkeypatch):
    """A few images, which every recipe gets."""
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    few = Dataset(
        name="synthetic10",
        train=split(8),
        test=split(8),
        class_names=tuple("abcdefghij"),
        provenance={"name": "synthetic10", "synthetic": True, "content_sha256": {"train": "1"}},
    )
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: few)
    return few


@pytest.fixture
def result():
    """What a training that is monkeypatched out comes to."""
    return made_result(test_accuracy=0.9166, epochs=18)


@pytest.fixture
def trained(monkeypatch, dataset, result):
    """What training was asked for; it ends at once with a result, or as `trained.ends` says."""

    class Trained(list):
        def ends(self, error):
            self.error = error

    calls = Trained()
    calls.error = None

    def train(job, dataset, strategy, every):
        calls.append((job, strategy, every))
        if calls.error:
            raise calls.error
        return result

    monkeypatch.setattr("cifar_keras.run.train.train", train)
    return calls


@pytest.fixture
def begun(dataset, here):
    """A run of mine.yaml, a copy of the demo; its folder."""
    shutil.copy(recipe_path("demo"), here / "mine.yaml")
    recipe = load_recipe(here / "mine.yaml")
    folder = here / "runs" / "mine" / "seed-1"
    run = made_run("mine", recipe, provenance={"data": dataset.provenance})
    records.write_record(folder, records.RUN, run)
    return folder

"""A recipe with a network of one's own: trained as any other, its code never run unasked."""

import sys

import numpy as np
import pytest

from cifar_keras.cli import main
from cifar_keras.data import Dataset, Split
from cifar_keras.models import outside

NETWORK = """
from pathlib import Path

import keras

Path({marker!r}).touch()


def tiny(input_shape, num_classes, filters: int):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(filters, 3, strides=4, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x))
"""
RECIPE = """
base: demo
title: Mine
model: {name: my_network:tiny, filters: 4}
data: {batch_size: 16}
stages: [{epochs: 1, schedule: {kind: constant, learning_rate: 0.01}}]
"""
RUN = "runs/mine/seed-1"


@pytest.fixture
def dataset(monkeypatch):
    """Twenty images, two of each class."""
    images = np.random.RandomState(0).randint(0, 256, (20, 32, 32, 3)).astype(np.uint8)
    few = Split(images, np.arange(20) % 10)
    provenance = {"name": "synthetic10", "synthetic": True, "content_sha256": {"train": "1"}}
    names = tuple("abcdefghij")
    made = Dataset(
        name="synthetic10", train=few, test=few, class_names=names, provenance=provenance
    )
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: made)


@pytest.fixture
def marker(tmp_path):
    """A file that is there once the network's module was imported."""
    return tmp_path / "imported"


@pytest.fixture
def forget(monkeypatch, marker):
    """Be a new process: nothing allowed, nothing imported."""

    def forget():
        monkeypatch.setattr(outside, "_folders", [])
        monkeypatch.setattr(sys, "path", [p for p in sys.path if "mine" not in p])
        sys.modules.pop("my_network", None)
        marker.unlink(missing_ok=True)

    forget()
    yield forget
    sys.modules.pop("my_network", None)


@pytest.fixture
def trained(dataset, here, marker, forget):
    """The folder of the recipe and the network, after a run in the working folder."""
    folder = here / "mine"
    folder.mkdir()
    (folder / "my_network.py").write_text(NETWORK.format(marker=str(marker)))
    (folder / "mine.yaml").write_text(RECIPE)
    assert main(["train", "--recipe", "mine/mine.yaml"]) == 0
    assert marker.exists()
    forget()
    return folder


def test_a_network_of_ones_own_is_trained_and_its_run_asked(trained, capsys, marker, forget):
    for command in (["runs"], ["compare", RUN, RUN], ["report", "--output", "report"]):
        assert main(command) == 0
    assert not marker.exists()
    for command, code in (
        (["evaluate", RUN], 1),
        (["export", RUN, "--to", "keras"], 1),
        (["verify", RUN], 0),
    ):
        capsys.readouterr()
        assert main(command) == code
        out, err = capsys.readouterr()
        assert "code from outside this package" in out + err
        assert not marker.exists()

        assert main([*command, "--trust-model", "mine"]) == 0
        assert marker.exists()
        out, err = capsys.readouterr()
        assert "code from outside this package" not in out + err
        forget()


def test_the_same_command_takes_the_run_up(trained, capsys):
    capsys.readouterr()

    assert main(["train", "--recipe", "mine/mine.yaml"]) == 0

    assert "finished before" in capsys.readouterr().err


def test_a_wrong_number_of_parameters_is_told_before_training(trained, refused, here):
    recipe = trained / "counted.yaml"
    recipe.write_text(RECIPE + "parameters: 163\n")

    assert refused("train", "--recipe", "mine/counted.yaml") == (
        1,
        "cifar-keras: error: model 'my_network:tiny' has 162 trainable parameters, the recipe "
        "states 163; correct 'parameters', or leave it out",
    )

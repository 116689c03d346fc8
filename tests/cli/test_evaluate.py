import json
from dataclasses import replace

import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.data import Split
from cifar_keras.models import build_model

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def dataset(dataset, monkeypatch):
    """Ten test images, one of each class."""
    images = np.random.RandomState(1).randint(0, 256, (10, 32, 32, 3)).astype(np.uint8)
    every = replace(dataset, test=Split(images, np.arange(10)))
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: every)
    return every


@pytest.fixture
def finished(begun):
    """The folder of a run with weights, those that its network begins with."""
    recipe = records.read_run(begun).recipe
    model = build_model(recipe.model.name, (32, 32, 3), 10, recipe.model.arguments)
    model.save_weights(begun / records.WEIGHTS)
    return begun


def lines_of(capsys, *arguments):
    assert main(["evaluate", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_without_tta_the_accuracy_is_the_plain_one_alone(finished, capsys):
    lines = lines_of(capsys, str(finished))

    assert lines[0] == "mine seed 1 on synthetic10 (synthetic, not CIFAR)"
    assert lines[1].startswith("test accuracy ")
    assert not any("augmentation" in line for line in lines)
    assert not (finished / records.TTA).exists()


def test_a_precision_other_than_float32_is_named(finished, capsys):
    tree = json.loads((finished / records.RUN).read_text())
    tree["recipe"]["precision"] = "mixed_bfloat16"
    (finished / records.RUN).write_text(json.dumps(tree))

    lines = lines_of(capsys, str(finished))

    assert lines[0] == "mine (bfloat16) seed 1 on synthetic10 (synthetic, not CIFAR)"


def test_validation_images_have_a_line_of_their_own(dataset, finished, capsys, monkeypatch):
    images = np.concatenate([dataset.test.images] * 2)
    train = Split(images, np.concatenate([dataset.test.labels] * 2))
    every = replace(dataset, train=train)
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: every)
    tree = json.loads((finished / records.RUN).read_text())
    tree["recipe"]["data"]["validation"] = 10
    (finished / records.RUN).write_text(json.dumps(tree))

    lines = lines_of(capsys, str(finished))

    # Of each class the same image is trained on, held out and tested.
    assert lines[2] == lines[1].replace("test", "validation")


def test_with_tta_the_augmented_accuracy_has_a_line_of_its_own(finished, capsys):
    plain = lines_of(capsys, str(finished))

    lines = lines_of(capsys, str(finished), "--tta")

    tta = records.read_tta(finished)
    assert lines[3] == (
        f"with test-time augmentation (6 views) {10 * tta.test_correct:.2f} % "
        f"({tta.test_correct} of 10)"
    )
    assert [*lines[:3], *lines[4:]] == plain


def test_of_many_classes_the_ten_worst_are_shown_unless_all_are_asked_for(
    finished, monkeypatch, capsys
):
    classes = [(f"class {n}", n / 100) for n in range(12)]
    monkeypatch.setattr("cifar_keras.evaluate.Evaluation.class_accuracies", lambda _: classes)

    few = [line for line in lines_of(capsys, str(finished)) if "%  class" in line]
    every = [line for line in lines_of(capsys, str(finished), "--all-classes") if "%  cl" in line]

    assert few == every[:10]
    assert [line.split("%  ")[1] for line in every] == [name for name, _ in classes]


def test_an_augmented_accuracy_that_cannot_be_written_is_told(finished, capsys):
    (finished / records.TTA).mkdir()

    code = main(["evaluate", str(finished), "--tta"])

    out, err = capsys.readouterr()
    assert (code, len(out.splitlines())) == (1, 3)
    assert err == (
        f"cifar-keras: error: cannot write '{finished}/tta.json': Is a directory; "
        "choose another folder\n"
    )

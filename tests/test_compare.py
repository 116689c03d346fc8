import subprocess
import sys
from pathlib import Path

import pytest
from made import made_result, made_run

from cifar_keras import records
from cifar_keras.compare import comparison
from cifar_keras.errors import RunError
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that makes a run folder of the demo."""
    monkeypatch.chdir(tmp_path)

    def make(seed, *overrides, keras="3.15.1", **result):
        recipe = load_recipe(recipe_path("demo"), overrides)
        folder = Path("runs") / "demo" / f"seed-{seed}"
        run = made_run(
            recipe=recipe,
            seed=seed,
            overrides=list(overrides),
            provenance={
                "versions": {"keras": keras, "numpy": "2.4.6"},
                "git": {"revision": "a" * 40, "dirty": False},
                "hardware": {"cpu": "Example", "cores": 2},
                "data": {"name": "synthetic10", "content_sha256": {"train": "1" * 64}},
            },
        )
        records.write_record(folder, records.RUN, run)
        if result:
            records.write_record(folder, records.RESULT, made_result(**result))
        return folder

    return make


def lines(*folders):
    return [line.split() for line in comparison(folders).splitlines()]


def test_only_what_differs_of_recipe_and_origin_and_every_figure(make):
    one = make(1, test_accuracy=0.5)
    two = make(2, "optimizer.momentum=0.8", keras="3.16.0", test_accuracy=0.625)

    found = lines(one, two)

    assert found[:6] == [
        ["recipe", "runs/demo/seed-1", "runs/demo/seed-2"],
        ["seed", "1", "2"],
        ["overrides", "[]", "['optimizer.momentum=0.8']"],
        ["optimizer.momentum", "0.9", "0.8"],
        [],
        ["origin", "runs/demo/seed-1", "runs/demo/seed-2"],
    ]
    assert found[6:9] == [
        ["versions.keras", "3.15.1", "3.16.0"],
        [],
        ["figure", "runs/demo/seed-1", "runs/demo/seed-2"],
    ]
    assert ["test_accuracy", "0.5", "0.625"] in found
    assert ["test_images", "10,000", "10,000"] in found
    assert ["weights_sha256", "00000000", "00000000"] in found


def test_a_run_without_a_result_has_dashes(make):
    found = lines(make(1), make(2, test_accuracy=0.5))

    assert ["test_accuracy", "-", "0.5"] in found


def test_the_augmented_accuracy_has_a_line_of_its_own(make):
    one, two = make(1, test_accuracy=0.5), make(2, test_accuracy=0.5)
    tta = records.Tta(
        test_accuracy=0.75,
        test_correct=7500,
        test_images=10000,
        views=6,
        weights_sha256="0" * 64,
        finished="2026-01-01T00:00:00+00:00",
    )
    records.write_record(one, records.TTA, tta)

    found = lines(one, two)

    assert ["test_accuracy", "0.5", "0.5"] in found
    assert ["tta.test_accuracy", "0.75", "-"] in found


def test_runs_of_two_precisions_differ_in_their_precision_alone(make):
    found = lines(make(1), make(2, "precision=mixed_bfloat16"))

    assert found[1:4] == [
        ["seed", "1", "2"],
        ["precision", "float32", "mixed_bfloat16"],
        [],
    ]


def test_what_is_the_same_is_said_in_a_line(make):
    one = make(1)

    assert comparison([one, one]) == (
        "recipe: the same\n\norigin: the same\n\nfigure: no figures yet"
    )


def test_a_folder_that_is_no_run_is_told(make, tmp_path):
    with pytest.raises(RunError, match=r"has no run\.json: not a run folder"):
        comparison([make(1), tmp_path])


def test_comparing_brings_in_neither_keras_nor_tensorflow(make):
    folder = str(make(1, test_accuracy=0.5))
    code = (
        "import sys; from cifar_keras.cli import main;"
        f"assert main(['compare', {folder!r}, {folder!r}]) == 0;"
        "print({'keras', 'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "set()"

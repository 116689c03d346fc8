import json
from pathlib import Path

import numpy as np
import pytest

from cifar_keras import records
from cifar_keras.data import Dataset, Split, load, official
from cifar_keras.data.normalize import normalization, official_normalization
from cifar_keras.data.recorded import Inputs, recorded_inputs
from cifar_keras.errors import RunError
from cifar_keras.recipe import load_recipe, recipe_path

COMMITTED = Path(__file__).resolve().parents[2] / "reports" / "runs" / "resnet20" / "seed-1"


@pytest.fixture
def dataset():
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 2, count))

    return Dataset("synthetic10", split(20), split(4), ("crème brûlée", "dog"))


def run_of(recipe, data=None):
    return records.read_run(COMMITTED).model_copy(
        update={"recipe": recipe, "provenance": {"data": data or {}}}
    )


# Means of channels, of crops (28 pixels), of whole images after a contrast normalization, none.
@pytest.mark.parametrize("name", ["resnet20", "inception_rrelu", "nin_relu", "airbench94"])
def test_what_is_recorded_is_what_the_run_computed_with(tmp_path, dataset, name):
    recipe = load_recipe(recipe_path(name))
    given = Inputs.of(dataset, recipe.data)

    records.write_preprocessing(tmp_path, given.record())
    found = recorded_inputs(tmp_path, run_of(recipe))

    assert found.class_names == ("crème brûlée", "dog")
    assert (found.normalization.contrast, found.normalization.uncropped) == (
        given.normalization.contrast,
        given.normalization.uncropped,
    )
    for key in ("mean", "factor"):
        found_numbers, given_numbers = (getattr(each.normalization, key) for each in (found, given))
        assert found_numbers.dtype == np.float32
        np.testing.assert_array_equal(found_numbers, given_numbers)


def test_an_earlier_run_on_the_official_images_needs_no_data():
    found = recorded_inputs(COMMITTED, records.read_run(COMMITTED))

    # The same values as in test_statistics.
    np.testing.assert_allclose(found.normalization.mean, [125.307, 122.950, 113.865], atol=5e-4)
    assert found.normalization.factor.tolist() == [1, 1, 1]
    assert found.class_names[:2] == ("airplane", "automobile")


@pytest.mark.parametrize("mean", ["image", "pixel"])
def test_an_earlier_run_with_a_mean_image_needs_the_data(tmp_path, mean):
    recipe = load_recipe(recipe_path("resnet20"), [f"data.mean={mean}", "data.padding=zeros"])
    run = run_of(recipe, {"content_sha256": official.CONTENT_SHA256["cifar10"]})

    assert recorded_inputs(tmp_path, run) is None


@pytest.mark.parametrize("content", [{"train": "0" * 64}, None])
def test_an_earlier_run_on_other_images_needs_the_data(tmp_path, content):
    run = run_of(load_recipe(recipe_path("resnet20")), {"content_sha256": content})

    assert recorded_inputs(tmp_path, run) is None


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("mean", [1.0, 2.0], r"mean must have the shape \(3,\)"),
        ("mean", [[[1.0]], [[1.0], [2.0]]], r"mean must have the shape \(3,\)"),
        ("mean", [1.0, 2.0, float("nan")], "mean"),
        ("factor", [1.0, 0.0, 1.0], "factor"),
        ("class_names", ["a\nb"], "printable"),
        ("class_names", ["a" * 101], "class_names"),
    ],
)
def test_a_damaged_record_is_told(tmp_path, dataset, key, value, told):
    recipe = load_recipe(recipe_path("resnet20"))
    records.write_preprocessing(tmp_path, Inputs.of(dataset, recipe.data).record())
    path = tmp_path / records.PREPROCESSING
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    with pytest.raises(RunError, match=rf"preprocessing\.json' is damaged: .*{told}"):
        recorded_inputs(tmp_path, run_of(recipe))


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_class_names_are_the_official_ones(dataset):
    # CIFAR-100's hash covers the names of its groups as well.
    names = official.CLASS_NAMES[dataset]

    assert len(set(names)) == {"cifar10": 10, "cifar100": 100}[dataset]
    if dataset == "cifar10":
        assert official.names_sha256([names]) == official.NAMES_SHA256[dataset]
    else:
        assert list(names) == sorted(names)


@pytest.mark.data
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("std", ["none", "channel"])
def test_the_official_numbers_are_those_of_the_official_images(name, std):
    dataset = load(name, download=False)
    data = load_recipe(recipe_path("resnet20"), [f"data.std={std}"]).data

    found, computed = official_normalization(data, name), normalization(data, dataset.train.images)

    assert dataset.class_names == official.CLASS_NAMES[name]
    np.testing.assert_array_equal(found.mean, computed.mean)
    np.testing.assert_array_equal(found.factor, computed.factor)

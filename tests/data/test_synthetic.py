import numpy as np
import pytest

from cifar_keras.data import Dataset, load
from cifar_keras.data.synthetic import synthetic
from cifar_keras.errors import DataError


@pytest.fixture(scope="module")
def ten() -> Dataset:
    return load("synthetic10")


@pytest.fixture(scope="module")
def hundred() -> Dataset:
    return load("synthetic100")


def test_synthetic10_has_5000_and_1000_images_in_balanced_classes(ten: Dataset) -> None:
    assert ten.train.images.shape == (5000, 32, 32, 3)
    assert np.bincount(ten.train.labels).tolist() == [500] * 10
    assert np.bincount(ten.test.labels).tolist() == [100] * 10
    assert ten.coarse_names is None


def test_synthetic100_has_10000_and_2000_images_in_balanced_classes(hundred: Dataset) -> None:
    assert hundred.train.images.shape == (10000, 32, 32, 3)
    assert np.bincount(hundred.train.labels).tolist() == [100] * 100
    assert np.bincount(hundred.test.labels).tolist() == [20] * 100


def test_a_class_is_named_after_its_texture_and_its_shape(ten: Dataset, hundred: Dataset) -> None:
    assert ten.class_names[:4] == ("plain disc", "striped disc", "plain square", "striped square")
    assert hundred.class_names[21] == "striped triangle"


def test_the_coarse_label_is_the_shape(hundred: Dataset) -> None:
    assert hundred.coarse_names is not None
    assert hundred.test.coarse_labels is not None
    for fine, coarse in zip(hundred.test.labels[:50], hundred.test.coarse_labels[:50], strict=True):
        assert hundred.class_names[fine].endswith(f" {hundred.coarse_names[coarse]}")


# The bytes of this version; a change here changes every result on synthetic data.
def test_synthetic10_of_seed_0_is_what_it_always_was(ten: Dataset) -> None:
    assert ten.provenance["content_sha256"] == {
        "train": "f02c85c2540afed209eca6606e7be0c6a5527f24f139ccc2d5b5281bc5438a99",
        "test": "7d7317a82baa47eb8adc0dd0b386e052e5bbac92b3b2488c5b768d1cfc790d47",
    }


def test_synthetic100_of_seed_0_is_what_it_always_was(hundred: Dataset) -> None:
    assert hundred.provenance["content_sha256"] == {
        "train": "43781b15f5b6f05d86c3f7312eecf123fc91eacd0b3278e035c400fdb67ac498",
        "test": "a25898f8bd16c26d7619270dc4f8175f46f512b7b60241d44b4e1bb0be1dfba3",
    }


def test_train_and_test_share_no_image(ten: Dataset) -> None:
    train = {image.tobytes() for image in ten.train.images}

    assert not any(image.tobytes() in train for image in ten.test.images)


def test_another_seed_gives_other_images(ten: Dataset) -> None:
    assert not np.array_equal(synthetic("synthetic10", seed=1).test.images, ten.test.images)


def test_provenance_says_that_it_is_synthetic(ten: Dataset) -> None:
    assert ten.synthetic is True
    assert ten.provenance["official"] is None
    assert ten.provenance["layout"] == "synthetic seed 0"


@pytest.mark.slow
def test_a_linear_model_stays_under_60_percent(ten: Dataset) -> None:
    train = ten.train.images.reshape(5000, -1).astype(np.float32) / 255
    test = ten.test.images.reshape(1000, -1).astype(np.float32) / 255
    mean = train.mean(axis=0)
    targets = np.eye(10, dtype=np.float32)[ten.train.labels] - 0.1
    scatter = (train - mean).T @ (train - mean) + 1000 * np.eye(3072, dtype=np.float32)
    weights = np.linalg.solve(scatter, (train - mean).T @ targets)

    accuracy = ((test - mean) @ weights).argmax(axis=1) == ten.test.labels

    assert accuracy.mean() < 0.6


def test_load_knows_the_synthetic_sets_by_name(ten: Dataset, hundred: Dataset) -> None:
    assert (ten.name, hundred.name) == ("synthetic10", "synthetic100")


def test_an_unknown_synthetic_set_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"known are synthetic10, synthetic100. Received: 'cifar10'"
    ):
        synthetic("cifar10")

import subprocess
import sys

import numpy as np
import pytest

from cifar_keras.data import DATASETS, Dataset, Split
from cifar_keras.data.dataset import content_sha256


def _split(count: int = 3, coarse: bool = False) -> Split:
    images = np.arange(count * 3072, dtype=np.uint64).astype(np.uint8).reshape(count, 32, 32, 3)
    images[:, 0, 0, 0] = np.arange(count)
    labels = np.arange(count, dtype=np.int64)
    return Split(images, labels, labels // 2 if coarse else None)


def test_the_data_sets_are_these_four() -> None:
    assert DATASETS == ("cifar10", "cifar100", "synthetic10", "synthetic100")


def test_importing_the_data_package_imports_no_heavy_library() -> None:
    code = (
        "import sys, cifar_keras.data.sheet, cifar_keras.data; "
        "print({'tensorflow', 'keras', 'matplotlib', 'PIL'} & set(sys.modules))"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert answer.stdout == "set()\n"


def test_content_hash_of_known_images_is_the_known_one() -> None:
    # sha256(sha256(3072 zero bytes + label 0) ...), computed with coreutils' sha256sum.
    split = Split(np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int64))

    digest = content_sha256(split)

    assert digest == "4ad5ed9e0757c2f9ba8cdf2c97a9ea7c8c2d31be72475c26ad41ad4973d31012"


def test_a_split_is_printed_as_one_line_of_shapes() -> None:
    assert repr(_split(3)) == "Split(images=uint8[3, 32, 32, 3], labels=int64[3])"
    assert repr(_split(3, coarse=True)) == (
        "Split(images=uint8[3, 32, 32, 3], labels=int64[3], coarse_labels=int64[3])"
    )


def test_a_data_set_is_printed_as_one_line_of_its_name_and_sizes() -> None:
    dataset = Dataset("cifar10", _split(5), _split(3), ("cat", "dog"))

    assert repr(dataset) == "Dataset('cifar10', 2 classes, 5 training images, 3 test images)"


@pytest.mark.parametrize("coarse", [False, True])
def test_content_hash_does_not_depend_on_the_order_of_the_images(coarse: bool) -> None:
    split = _split(5, coarse)
    order = np.array([3, 1, 4, 0, 2])
    groups = None if split.coarse_labels is None else split.coarse_labels[order]
    shuffled = Split(split.images[order], split.labels[order], groups)

    assert content_sha256(shuffled) == content_sha256(split)


def test_content_hash_depends_on_which_label_an_image_has() -> None:
    split = _split()
    swapped = Split(split.images, split.labels[::-1])

    assert content_sha256(swapped) != content_sha256(split)


def test_content_hash_depends_on_the_coarse_labels() -> None:
    assert content_sha256(_split(coarse=True)) != content_sha256(_split())


def test_content_hash_depends_on_every_pixel() -> None:
    split = _split()
    images = split.images.copy()
    images[2, 31, 31, 2] ^= 1

    assert content_sha256(Split(images, split.labels)) != content_sha256(split)


def test_float_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: float32 of shape \(2, 32, 32, 3\)"):
        Split(np.zeros((2, 32, 32, 3), np.float32), np.zeros(2, np.int64))  # type: ignore[arg-type]


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: int64 of shape \(3,\)"):
        Split(np.zeros((2, 32, 32, 3), np.uint8), np.zeros(3, np.int64))


def test_number_of_classes_is_that_of_the_fine_names() -> None:
    dataset = Dataset("x", _split(), _split(), ("a", "b", "c"), ("d",), {"synthetic": True})

    assert dataset.num_classes == 3
    assert dataset.synthetic is True

from dataclasses import replace

import numpy as np
import pytest

from cifar_keras.data import Dataset, Split, held_out
from cifar_keras.errors import RecipeError


def dataset(*sizes: int, seed: int = 0) -> Dataset:
    """Return equally many training images per class, in mixed order, with groups of two classes."""
    random = np.random.RandomState(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)
    random.shuffle(labels)
    images = random.randint(0, 256, (len(labels), 32, 32, 3)).astype(np.uint8)
    train = Split(images, labels, labels // 2)
    return Dataset("x", train, train, tuple("abcdefghij"[: len(sizes)]))


def digests(split: Split | None) -> set[bytes]:
    assert split
    return {image.tobytes() for image in split.images}


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [
        ((10, 10, 10), 6, [2, 2, 2]),
        # Of equal remainders the first classes win.
        ((10, 10, 10), 7, [3, 2, 2]),
        ((20, 10, 5), 7, [4, 2, 1]),
        # 3.43, 1.71 and 0.86: the last two have the largest remainders.
        ((20, 10, 5), 6, [3, 2, 1]),
        ((10, 0, 10), 4, [2, 0, 2]),
    ],
)
def test_each_class_gives_its_share(sizes: tuple[int, ...], count: int, shares: list[int]) -> None:
    held = held_out(dataset(*sizes), count)

    assert held.validation
    assert np.bincount(held.validation.labels, minlength=len(sizes)).tolist() == shares
    assert len(held.train) == sum(sizes) - count


def test_no_image_is_in_both_and_none_is_lost() -> None:
    whole = dataset(10, 10)

    held = held_out(whole, 6)

    assert digests(held.train).isdisjoint(digests(held.validation))
    assert digests(held.train) | digests(held.validation) == digests(whole.train)


def test_images_keep_their_order_and_all_their_labels() -> None:
    whole = dataset(10, 10, 10, 10)

    held = held_out(whole, 6)

    for split in (held.train, held.validation):
        assert split
        assert split.coarse_labels is not None
        places = [
            int(np.flatnonzero((whole.train.images == image).all(axis=(1, 2, 3)))[0])
            for image in split.images
        ]
        assert places == sorted(places)
        assert split.labels.tolist() == whole.train.labels[places].tolist()
        assert split.coarse_labels.tolist() == (split.labels // 2).tolist()


def test_the_choice_does_not_depend_on_the_order_of_the_images() -> None:
    whole, order = dataset(10, 10), np.random.RandomState(1).permutation(20)
    train = whole.train
    assert train.coarse_labels is not None
    shuffled = Split(train.images[order], train.labels[order], train.coarse_labels[order])

    held = held_out(replace(whole, train=shuffled), 6)

    assert digests(held.validation) == digests(held_out(whole, 6).validation)


def test_the_smallest_digests_are_chosen() -> None:
    # Each image has one pixel value. According to coreutils' sha256sum, the digests of 3,072 bytes
    # of 0, 1, 2 and 3 begin with e8, f4, 65 and fd.
    gray = np.arange(4, dtype=np.uint8)[:, None, None, None]
    images = np.broadcast_to(gray, (4, 32, 32, 3)).copy()
    train = Split(images, np.zeros(4, np.int64))

    held = held_out(Dataset("x", train, train, ("a",)), 2)

    assert held.validation
    assert held.validation.images[:, 0, 0, 0].tolist() == [0, 2]


def test_nothing_held_out_is_the_data_set_itself() -> None:
    whole = dataset(10, 10)

    assert held_out(whole, 0) is whole
    held = held_out(whole, 4)
    assert held_out(held, 4) is held


def test_another_number_of_what_is_held_out_already_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 images are held out already. Received: count=2"):
        held_out(held_out(dataset(10, 10), 4), 2)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (20, "data.validation is 20; must be less than the 20 training images of x"),
        (2**40, "data.validation is 1,099,511,627,776; must be less than the 20 training images"),
        (19, "data.validation is 19, which leaves no training image of class 'a'; lower it"),
    ],
)
def test_a_training_set_that_would_be_left_without_images_is_refused(
    count: int, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        held_out(dataset(10, 10), count)

import numpy as np
import pytest
import tensorflow as tf

from cifar_keras.data.normalize import Normalization, normalization
from cifar_keras.data.order import permuted
from cifar_keras.data.pipeline import TrainingBatches, evaluation_batches
from cifar_keras.recipe import load_recipe, recipe_path

RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (50, 32, 32, 3)).astype(np.uint8)
LABELS = np.arange(50)  # the label identifies the image
RAW = ("data.mean=none", "data.padding=none", "data.pad=0", "data.flip=none")


def batches(*overrides, seed=1, batch_size=16):
    overrides = [f"data.batch_size={batch_size}", *overrides]
    data = load_recipe(recipe_path("resnet20"), overrides).data
    return TrainingBatches(IMAGES, LABELS, data, normalization(data, IMAGES), seed)


def epoch(source, number):
    begin = number * source.steps_per_epoch
    pairs = list(source.dataset(begin, begin + source.steps_per_epoch).as_numpy_iterator())
    return [images for images, _ in pairs], [labels for _, labels in pairs]


def labels_of(source, first, last):
    return [y.tolist() for _, y in source.dataset(first, last).as_numpy_iterator()]


def test_a_batch_is_a_function_of_seed_and_step_alone():
    whole = list(batches().dataset(0, 12).as_numpy_iterator())
    rest = list(batches().dataset(7, 12).as_numpy_iterator())

    for (images, labels), (again, labels_again) in zip(whole[7:], rest, strict=True):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_another_seed_gives_another_order_and_other_crops():
    one, other = batches(seed=1), batches(seed=2)

    assert labels_of(one, 0, 1) != labels_of(other, 0, 1)
    assert not np.array_equal(one.batch(tf.constant(0, tf.int64))[0], other.batch(0)[0])


@pytest.mark.parametrize(("last_batch", "sizes"), [("keep", [16, 16, 16, 2]), ("drop", [16] * 3)])
def test_an_epoch_shows_each_image_at_most_once(last_batch, sizes):
    _, labels = epoch(batches(f"data.last_batch={last_batch}"), 0)

    seen = np.concatenate(labels)
    assert [len(batch) for batch in labels] == sizes
    assert len(set(seen)) == len(seen)


def test_epochs_have_different_orders():
    source = batches("data.last_batch=keep")

    assert (
        np.concatenate(epoch(source, 0)[1]).tolist() != np.concatenate(epoch(source, 1)[1]).tolist()
    )


def test_carried_batches_are_full_and_show_every_image_once_a_pass():
    # 25 batches of 16 are 400 images: 8 epochs of 50 without a gap.
    labels = np.concatenate(labels_of(batches("data.last_batch=carry"), 0, 25))

    passes = labels.reshape(8, 50)
    assert all(sorted(each) == list(range(50)) for each in passes.tolist())
    assert len({tuple(each) for each in passes.tolist()}) == 8


@pytest.mark.parametrize("count", [10, 1000, 50_000])
def test_a_pass_is_a_permutation(count):
    positions = tf.range(count, dtype=tf.int64)

    order = permuted(positions, tf.zeros(count, tf.int64), 3, count).numpy()

    assert sorted(order) == list(range(count))


@pytest.mark.slow
def test_an_image_is_as_likely_at_any_place_of_a_pass():
    def order(one_pass):
        return permuted(tf.range(20, dtype=tf.int64), tf.fill([20], one_pass), 1, 20)

    # In one graph, because 2,000 eager calls of `order` take ten seconds.
    orders = tf.function(lambda: tf.map_fn(order, tf.range(2000, dtype=tf.int64)))
    places = orders().numpy()

    counts = np.stack([(places == image).sum(axis=0) for image in range(20)])
    chi_square = ((counts - 100) ** 2 / 100).sum()
    # 19 * 19 degrees of freedom: 361 +- 27; five standard deviations.
    assert 361 - 135 < chi_square < 361 + 135


def test_without_augmentation_images_pass_through():
    images, labels = epoch(batches(*RAW), 0)

    for batch, which in zip(images, labels, strict=True):
        np.testing.assert_array_equal(batch, IMAGES[which])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "mean"])
def test_crops_are_windows_of_the_padded_image(mode):
    source = batches("data.mean=none", f"data.padding={mode}", "data.flip=none")
    numpy_mode = {"zeros": "constant"}.get(mode, mode)
    images, labels = epoch(source, 0)
    corners = set()

    for image, which in zip(np.concatenate(images), np.concatenate(labels), strict=True):
        padded = np.pad(IMAGES[which], ((4, 4), (4, 4), (0, 0)), mode=numpy_mode)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (32, 32, 3))[:, :, 0]
        found = np.argwhere((windows == image).all(axis=(2, 3, 4)))
        assert len(found) == 1
        corners.add(tuple(found[0]))

    assert len(corners) > 20


def test_zeros_are_put_in_after_the_normalization():
    source = batches("data.padding=zeros", "data.mean=[200, 200, 200]", "data.flip=none")

    images = np.concatenate(epoch(source, 0)[0])

    # A black border would be -200.
    borders = images[:, 0].reshape(len(images), -1)
    assert sum(not border.any() for border in borders) > 10


def test_half_of_the_images_are_mirrored():
    source = batches(*RAW[:3])
    flips = []
    for images, labels in source.dataset(0, 20 * source.steps_per_epoch).as_numpy_iterator():
        for image, which in zip(images, labels, strict=True):
            straight = np.array_equal(image, IMAGES[which])
            assert straight or np.array_equal(image, IMAGES[which][:, ::-1])
            flips.append(not straight)

    # 1,280 coin flips: five standard deviations of 0.014.
    assert abs(np.mean(flips) - 0.5) < 0.07


def test_the_mean_image_is_subtracted_before_the_flip():
    mean = RANDOM.uniform(0, 255, (32, 32, 3)).astype(np.float32)
    data = load_recipe(recipe_path("resnet20"), RAW[1:3]).data
    norm = Normalization(mean, np.ones(3, np.float32))
    images, labels = TrainingBatches(IMAGES, LABELS, data, norm, 1).batch(tf.constant(0, tf.int64))
    centered = IMAGES.astype(np.float32) - mean
    straight = 0

    for image, which in zip(images.numpy(), labels.numpy(), strict=True):
        straight += np.array_equal(image, centered[which])
        assert np.array_equal(image, centered[which]) or np.array_equal(
            image, centered[which][:, ::-1]
        )

    assert 0 < straight < len(labels)


def test_all_test_images_are_shown_once_in_order_and_center_cropped():
    data = load_recipe(recipe_path("resnet20"), [*RAW, "data.crop=28"]).data
    norm = normalization(data, IMAGES)

    pairs = list(evaluation_batches(IMAGES, LABELS, data, norm, batch_size=16).as_numpy_iterator())

    assert [len(y) for _, y in pairs] == [16, 16, 16, 2]
    assert np.concatenate([y for _, y in pairs]).tolist() == list(range(50))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in pairs]), IMAGES[:, 2:30, 2:30])


def mirrored(source, first, last):
    """Return which images the batches of these steps mirror, by label."""
    flags = {}
    for images, labels in source.dataset(first, last).as_numpy_iterator():
        for image, label in zip(images, labels, strict=True):
            plain = np.array_equal(image, IMAGES[label])
            assert plain or np.array_equal(image, IMAGES[label][:, ::-1])
            flags[int(label)] = not plain
    return [flags[label] for label in sorted(flags)]


def test_alternating_flips_mirror_a_random_half_and_then_the_other_half():
    source = batches(*RAW[:3], "data.flip=alternating", "data.last_batch=keep")

    first, second, third = (mirrored(source, 4 * n, 4 * n + 4) for n in range(3))
    assert len(first) == 50
    assert 10 < sum(first) < 40
    assert second == [not flag for flag in first]
    assert third == first


def test_another_seed_mirrors_another_half_first():
    sources = [batches(*RAW[:3], "data.flip=alternating", seed=seed) for seed in (1, 2)]

    one, other = (mirrored(source, 0, 4) for source in sources)
    assert one != other


def test_cutout_sets_one_square_inside_each_image_to_zero():
    source = batches("data.mean=[-1, -1, -1]", *RAW[1:], "data.cutout=12")

    images, labels = source.batch(tf.constant(3, tf.int64))

    corners = set()
    for image, label in zip(images.numpy(), labels.numpy(), strict=True):
        rows, columns = np.nonzero((image == 0).all(axis=-1))
        top, left = rows.min(), columns.min()
        assert len(rows) == 144
        assert (rows.max() - top, columns.max() - left) == (11, 11)
        untouched = IMAGES[label] + np.float32(1)
        untouched[top : top + 12, left : left + 12] = 0
        np.testing.assert_array_equal(image, untouched)
        corners.add((top, left))
    assert len(corners) > 10


def contrasted(image):
    """Normalize as highway-networks@87d1c8d: subtract the mean, divide by the norm, times 55."""
    centered = image.astype(np.float64) - image.mean()
    return 55 * centered / np.sqrt((centered**2).sum())


GCN = ("data.contrast=55", "data.scale=1", "data.flip=none")


def test_contrast_gives_each_image_mean_zero_and_one_norm():
    source = batches(*GCN, "data.mean=none", "data.padding=none", "data.pad=0")

    images, labels = source.batch(tf.constant(0, tf.int64))

    expected = [contrasted(IMAGES[label]) for label in labels.numpy()]
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5)


def test_the_mean_of_pixels_goes_before_padding_with_zeros():
    source = batches(*GCN, "data.mean=pixel", "data.padding=zeros", "data.pad=8")

    images, labels = source.batch(tf.constant(0, tf.int64))

    mean = np.mean([contrasted(image) for image in IMAGES], axis=0)
    for image, label in zip(images.numpy(), labels.numpy(), strict=True):
        whole = np.pad(contrasted(IMAGES[label]) - mean, ((8, 8), (8, 8), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32, 3))[:, :, 0]
        assert np.abs(windows - image).max(axis=(2, 3, 4)).min() < 1e-4


def test_tests_are_contrasted_and_less_the_mean_of_pixels_of_the_training_images():
    data = load_recipe(
        recipe_path("resnet20"), [*GCN, "data.mean=pixel", "data.padding=none", "data.pad=0"]
    ).data
    others = IMAGES[:5] // 2

    found = evaluation_batches(others, LABELS[:5], data, normalization(data, IMAGES))

    mean = np.mean([contrasted(image) for image in IMAGES], axis=0)
    [(images, _)] = found.as_numpy_iterator()
    expected = [contrasted(image) - mean for image in others]
    np.testing.assert_allclose(images, expected, atol=1e-4)


def test_the_mean_of_pixels_without_contrast_is_in_gray_levels():
    source = batches("data.mean=pixel", "data.padding=none", "data.pad=0", "data.flip=none")

    images, labels = source.batch(tf.constant(0, tf.int64))

    expected = IMAGES[labels.numpy()] - IMAGES.mean(axis=0)
    np.testing.assert_allclose(images, expected, atol=1e-3)


def test_plain_images_are_those_of_a_test():
    source = batches("data.crop=28", "data.mean=image", "data.padding=none", "data.pad=0")

    plain = source.plain(3)

    mean = normalization(source.data, IMAGES).mean
    np.testing.assert_array_equal(plain, IMAGES[:3, 2:-2, 2:-2] - mean)

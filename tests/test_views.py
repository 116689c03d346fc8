import numpy as np
import tensorflow as tf

from cifar_keras.views import VIEW_WEIGHTS, airbench_views


def views_of(images):
    return [np.asarray(view) for view in airbench_views(tf.constant(images, tf.float32))]


# 3x3 pixels of one channel. A reflected border does not repeat the edge: 5 4 5 6 5 is above.
IMAGE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])[None, :, :, None]


def test_there_are_six_views_by_hand():
    views = [view[0, :, :, 0].tolist() for view in views_of(IMAGE)]

    assert views == [
        [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        [[3, 2, 1], [6, 5, 4], [9, 8, 7]],
        [[5, 4, 5], [2, 1, 2], [5, 4, 5]],
        [[5, 4, 5], [2, 1, 2], [5, 4, 5]],
        [[5, 6, 5], [8, 9, 8], [5, 6, 5]],
        [[5, 6, 5], [8, 9, 8], [5, 6, 5]],
    ]


def test_the_moved_views_come_with_their_mirror_images():
    images = np.random.RandomState(0).randn(2, 32, 32, 3).astype(np.float32)

    views = views_of(images)

    np.testing.assert_array_equal(views[2][:, 1:, 1:], images[:, :-1, :-1])
    np.testing.assert_array_equal(views[4][:, :-1, :-1], images[:, 1:, 1:])
    for plain, mirrored in zip(views[::2], views[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])


def test_views_keep_the_shape_of_the_images():
    assert {view.shape for view in views_of(np.zeros((5, 28, 30, 3)))} == {(5, 28, 30, 3)}


def test_weights_are_the_published_ones():
    # airbench94.py.
    assert VIEW_WEIGHTS == (0.25, 0.25, 0.125, 0.125, 0.125, 0.125)
    assert len(views_of(IMAGE)) == 6

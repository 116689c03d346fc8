import tensorflow as tf

from cifar_keras.distribute.devices import in_turn, sharded


def test_replicas_of_a_worker_take_their_shares_in_turn():
    sources = [tf.data.Dataset.from_tensor_slices(each) for each in ([1, 2], [10, 20], [100, 200])]

    assert list(in_turn(sources).as_numpy_iterator()) == [1, 10, 100, 2, 20, 200]


def test_shares_of_whole_batches_are_all_of_them():
    batches = tf.data.Dataset.from_tensors((tf.range(7), tf.range(7, 14)))

    found = [next(sharded(batches)(number, 3).as_numpy_iterator()) for number in range(3)]

    assert [images.tolist() for images, _ in found] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [labels.tolist() for _, labels in found] == [[7, 8], [9, 10], [11, 12, 13]]

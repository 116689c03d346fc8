import keras
import numpy as np
import pytest

from cifar_keras.distribute.devices import make_strategy
from cifar_keras.distribute.running_sums import read_sums, write_sums


@pytest.fixture
def metric():
    def make(devices):
        strategy = make_strategy(devices)
        with strategy.scope():
            return strategy, keras.metrics.Mean().variables

    return make


def test_each_replica_keeps_its_running_sums(metric):
    strategy, variables = metric("cpu:2")

    write_sums(strategy, variables, [np.float32([0.1, 0.2]), np.float32([3, 4])])

    total, count = read_sums(strategy, variables)
    np.testing.assert_array_equal(total, np.float32([0.1, 0.2]))
    np.testing.assert_array_equal(count, [3, 4])


def test_running_sums_pass_to_another_number_of_replicas(metric):
    strategy, variables = metric("cpu")
    write_sums(strategy, variables, [np.float32([1, 2]), np.float32([3, 4])])
    assert [float(each) for each in read_sums(strategy, variables)] == [3, 7]

    strategy, variables = metric("cpu:2")
    write_sums(strategy, variables, [np.float32(3), np.float32(7)])
    assert [each.tolist() for each in read_sums(strategy, variables)] == [[3, 0], [7, 0]]
    assert [float(each.numpy()) for each in variables] == [3, 7]

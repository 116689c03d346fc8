from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.replicas import difference, in_processes, train
from cifar_keras import runs
from cifar_keras.data import Dataset, Split
from cifar_keras.distribute.devices import in_turn, make_strategy, parted
from cifar_keras.distribute.running_sums import read_sums, write_sums
from cifar_keras.errors import Interrupted, RecipeError
from cifar_keras.experiment.compiled import compiled_model
from cifar_keras.run.train import Every
from cifar_keras.run.train import train as train_job
from cifar_keras.schedules import Pace

# Odd, so that no parting is even.
BATCH = 5


@pytest.fixture(scope="module")
def of_one():
    return train("cpu", batch_size=BATCH)


@pytest.fixture
def odd(dataset) -> Dataset:
    """81 training images, of which the last batch of 16 is one, and 31 test images."""
    images, labels = dataset.train.images[:81], dataset.train.labels[:81]
    tests = np.concatenate([dataset.test.images, images[:1]])
    test = Split(tests, np.concatenate([dataset.test.labels, labels[:1]]))
    return replace(dataset, train=Split(images, labels), test=test)


def go(job, dataset, devices):
    return train_job(job, dataset, make_strategy(devices), Every())


def test_two_devices_train_as_one(of_one):
    losses, weights = difference(of_one, train("cpu:2", batch_size=BATCH))

    assert losses < 1e-9
    assert weights < 1e-9
    assert np.ptp(of_one["losses"]) > 0.01


def test_a_share_without_an_image_counts_for_nothing(job, odd, elsewhere, weights_of):
    job = replace(job, recipe=job.recipe.model_copy(update={"batch_norm": "synchronized"}))
    one = go(job, odd, "cpu")

    two = go(elsewhere("two"), odd, "cpu:2")

    rows = [runs.read_history(each.folder) for each in (job, elsewhere("two"))]
    for ours, theirs in zip(*rows, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
        assert ours.test_loss == pytest.approx(theirs.test_loss, rel=1e-4)
    assert two.test_images == one.test_images == 31
    ours, theirs = weights_of(job.folder), weights_of(elsewhere("two").folder)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_a_run_on_two_devices_resumes_bit_for_bit(
    monkeypatch, job, odd, elsewhere, same_bits, stop_at
):
    whole = elsewhere("whole")
    go(whole, odd, "cpu:2")
    with monkeypatch.context() as patch:
        stop_at(patch, "on_train_batch_end", 9)
        with pytest.raises(Interrupted):
            go(job, odd, "cpu:2")

    go(job, odd, "cpu:2")

    same_bits(job.folder, whole.folder)


@pytest.mark.slow
def test_what_stopped_on_two_devices_goes_on_on_one(monkeypatch, job, odd, caplog, stop_at):
    with monkeypatch.context() as patch:
        stop_at(patch, "on_train_batch_end", 9)
        with pytest.raises(Interrupted):
            go(job, odd, "cpu:2")

    go(job, odd, "cpu")

    assert "replicas 2 -> 1" in caplog.text
    assert [event.kind for event in runs.read_run(job.folder).events] == [
        "started",
        "interrupted",
        "resumed",
        "finished",
    ]


def test_more_devices_than_images_are_refused(job, dataset):
    data = job.recipe.data.model_copy(update={"batch_size": 1})
    job = replace(job, recipe=job.recipe.model_copy(update={"data": data}))

    with pytest.raises(RecipeError) as refused:
        go(job, dataset, "cpu:2")

    assert str(refused.value) == (
        "data.batch_size 1 has no image for each of 2 devices; raise it, or use fewer devices"
    )
    assert not job.folder.exists()


@pytest.mark.parametrize(
    ("devices", "batch_norm", "synchronized"),
    [
        ("cpu", "synchronized", False),
        ("cpu:2", "synchronized", True),
        ("cpu:2", "per_replica", False),
    ],
)
def test_batch_norm_is_synchronised_where_there_are_several_to_agree(
    recipe, devices, batch_norm, synchronized
):
    recipe = recipe.model_copy(update={"batch_norm": batch_norm})

    model = compiled_model(recipe, 1, make_strategy(devices), Pace(6))

    assert model.get_layer("bn").synchronized is synchronized


def test_replicas_of_a_worker_take_their_shares_in_turn():
    sources = [tf.data.Dataset.from_tensor_slices(each) for each in ([1, 2], [10, 20], [100, 200])]

    assert list(in_turn(sources).as_numpy_iterator()) == [1, 10, 100, 2, 20, 200]


def test_shares_of_whole_batches_are_all_of_them():
    batches = tf.data.Dataset.from_tensors((tf.range(7), tf.range(7, 14)))

    found = [next(parted(batches)(number, 3).as_numpy_iterator()) for number in range(3)]

    assert [images.tolist() for images, _ in found] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [labels.tolist() for _, labels in found] == [[7, 8], [9, 10], [11, 12, 13]]


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


@pytest.mark.slow
@pytest.mark.parametrize("where", ["cpu:4", "workers:2", "workers:3"])
def test_many_train_as_one(of_one, where):
    losses, weights = difference(of_one, in_processes(where, [f"--batch-size={BATCH}"]))

    assert losses < 1e-9
    assert weights < 1e-9


@pytest.mark.slow
def test_a_network_of_full_size_trains_as_one():
    arguments = ["--recipe=resnet20", "--batch-size=3", "--steps=10"]
    one = in_processes("cpu:1", arguments)

    for where in ("cpu:2", "workers:2"):
        losses, weights = difference(one, in_processes(where, arguments))
        print(f"{where}: losses differ by {losses:.2g}, weights by {weights:.2g}")
        assert losses < 1e-9
        assert weights < 1e-9

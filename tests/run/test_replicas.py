from dataclasses import replace

import numpy as np
import pytest

from benchmarks.replicas import difference, in_processes, train
from cifar_keras import records
from cifar_keras.data import Dataset, Split
from cifar_keras.distribute.devices import make_strategy
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


@pytest.mark.slow
def test_a_share_without_an_image_counts_for_nothing(job, odd, elsewhere, weights_of):
    job = replace(job, recipe=job.recipe.model_copy(update={"batch_norm": "synchronized"}))
    one = go(job, odd, "cpu")

    two = go(elsewhere("two"), odd, "cpu:2")

    rows = [records.read_history(each.folder) for each in (job, elsewhere("two"))]
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
    assert [event.kind for event in records.read_run(job.folder).events] == [
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
        "data.batch_size is 1, less than the 2 devices; raise it, or use fewer devices"
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

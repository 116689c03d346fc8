import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from accidents import Killed, kill_at_step, truncate

from cifar_keras import records
from cifar_keras.errors import Interrupted, RunError
from cifar_keras.recipe import load_recipe, recipes_folder
from cifar_keras.run import train as training
from cifar_keras.run.folder import locked


# 18 steps in stage 1, 9 in stage 2; three test epochs of one batch, then two. Each stop is counted
# from the one before; what was stopped in a test is tested first of all when it is resumed.
@pytest.mark.parametrize(
    ("number", "stops"),
    [
        (
            signal.SIGTERM,
            [
                ("on_train_batch_end", 1, (1, 1)),
                # After the rate has changed inside an epoch.
                ("on_train_batch_end", 9, (1, 10)),
                # Between the stages.
                ("on_epoch_end", 2, (1, 18)),
                # The test of the last, shorter epoch.
                ("on_test_batch_end", 2, (2, 9)),
            ],
        ),
        pytest.param(
            signal.SIGINT,
            [
                # The last step of an epoch, before its test.
                ("on_train_batch_end", 6, (1, 6)),
                ("on_test_batch_end", 2, (1, 12)),
                ("on_train_batch_end", 8, (2, 2)),
            ],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_run_stopped_anywhere_and_resumed_is_the_uninterrupted_one_and_its_events_tell(
    monkeypatch, job, dataset, uninterrupted, number, stops, same_bits, go, stop_at
):
    for hook, count, _ in stops:
        with monkeypatch.context() as patch:
            stop_at(patch, hook, count, number)
            with pytest.raises(Interrupted) as stopped:
                go(job, dataset)
        assert stopped.value.signal == number

    go(job, dataset)

    same_bits(job.folder, uninterrupted)
    events = records.read_run(job.folder).events
    told = [(kind, *place) for *_, place in stops for kind in ("interrupted", "resumed")]
    assert [(event.kind, event.stage, event.step) for event in events] == [
        ("started", 1, 0),
        *told,
        ("finished", 2, 9),
    ]
    assert all(event.versions["keras"] == keras.__version__ for event in events)


@pytest.mark.slow
def test_a_run_stopped_at_random_steps_again_and_again_is_the_uninterrupted_one(
    monkeypatch, job, dataset, uninterrupted, same_bits, go, stop_at
):
    random = np.random.RandomState(7)
    stops = 0
    while not (job.folder / records.RESULT).exists():
        with monkeypatch.context() as patch:
            stop_at(patch, "on_train_batch_end", random.randint(1, 14), signal.SIGINT)
            try:
                go(job, dataset)
            except Interrupted:
                stops += 1

    assert stops >= 2
    same_bits(job.folder, uninterrupted)


def test_a_killed_run_goes_on_from_a_checkpoint_inside_the_epoch(
    monkeypatch, job, dataset, uninterrupted, same_bits, go
):
    with monkeypatch.context() as patch:
        kill_at_step(patch, 11)
        with pytest.raises(Killed):
            go(job, dataset, steps=4)
    kept = [path.name for path in sorted((job.folder / records.CHECKPOINTS).iterdir())]
    assert kept == ["stage-1-step-000000006.ckpt", "stage-1-step-000000008.ckpt"]

    go(job, dataset)

    same_bits(job.folder, uninterrupted)


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_and_right_after_its_result_is_the_whole_one(
    monkeypatch, job, dataset, uninterrupted, same_bits, go
):
    def killed_at_once(*arguments):
        original(*arguments)
        raise Killed

    original = training.write_result
    with monkeypatch.context() as patch:
        kill_at_step(patch, 2)
        with pytest.raises(Killed):
            go(job, dataset)
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_result", killed_at_once)
        with pytest.raises(Killed):
            go(job, dataset)
    assert (job.folder / records.RESULT).exists()
    assert records.read_run(job.folder).finish is None

    go(job, dataset)

    same_bits(job.folder, uninterrupted)
    assert records.read_run(job.folder).finish is not None


def test_a_second_process_in_the_same_folder_is_refused(job):
    # Not by `locked`, which would import TensorFlow for seconds.
    code = (
        "import fcntl, sys\n"
        "handle = open(sys.argv[1], 'w')\n"
        "fcntl.flock(handle, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    job.folder.mkdir(parents=True)
    command = [sys.executable, "-c", code, str(job.folder / records.LOCK)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "held\n"

        with pytest.raises(RunError) as refused, locked(job.folder):
            pass

        first.stdin.close()
    assert str(refused.value) == (
        f"another process is training in '{job.folder}'; wait for it, or stop it"
    )


def test_a_lock_goes_with_its_process(job):
    with locked(job.folder):
        pass

    with locked(job.folder):
        pass


def test_a_run_that_diverges_stops_and_says_where(job, dataset, go):
    stages = (
        "stages=[{epochs: 3, start: scratch, frozen: [], schedule: {kind: steps,"
        " learning_rates: [0.01, 1.0e+30], boundaries: [1]}}]"
    )
    overrides = [
        "dataset=synthetic10",
        "model={name: noisy, width: 8}",
        "data.batch_size=16",
        "reference=null",
        stages,
    ]
    wild = replace(job, recipe=load_recipe(recipes_folder() / "resnet20.yaml", overrides))

    where = r"at epoch 2, step [123] \(stage 1\), with learning rate .*last good checkpoint is kept"
    with pytest.raises(RunError, match=where):
        go(wild, dataset)

    assert [path.name for path in (job.folder / records.CHECKPOINTS).iterdir()] == [
        "stage-1-step-000000006.ckpt"
    ]
    assert records.read_run(job.folder).events[-1].kind == "failed"


def test_a_run_that_diverges_before_its_first_checkpoint_does_not_name_one(job, dataset, go):
    tree = job.recipe.model_dump()
    tree["stages"][0]["schedule"] = {"kind": "constant", "learning_rate": 1e30}
    wild = replace(job, recipe=type(job.recipe).model_validate(tree))

    with pytest.raises(RunError, match="; no checkpoint was saved before; lower the learning rate"):
        go(wild, dataset)


def test_a_finished_run_is_read_and_not_trained_again(monkeypatch, job, dataset, uninterrupted, go):
    monkeypatch.setattr(training, "Experiment", None)

    result = go(replace(job, folder=uninterrupted), dataset)

    assert result == records.read_result(uninterrupted)
    assert not (uninterrupted / records.CHECKPOINTS).exists()


@pytest.fixture
def killed_after_its_result(monkeypatch, job, uninterrupted):
    """The run as a kill between result.json and the event of its end leaves it; that event."""
    shutil.copytree(uninterrupted, job.folder)
    run = records.read_run(job.folder)
    left = run.model_copy(update={"events": run.events[:-1]})
    records.write_record(job.folder, records.RUN, left)
    (job.folder / records.CHECKPOINTS).mkdir()
    (job.folder / records.CHECKPOINTS / "stage-2-step-000000009.ckpt").write_bytes(b"")
    return run.finish


def test_a_run_killed_after_its_result_is_ended_by_the_next_command(
    job, dataset, killed_after_its_result, go
):
    result = go(job, dataset)

    assert result == records.read_result(job.folder)
    assert not (job.folder / records.CHECKPOINTS).exists()
    there, told = killed_after_its_result, records.read_run(job.folder).finish
    for key in ("stage", "step", "files", "versions", "machine", "git"):
        assert getattr(told, key) == getattr(there, key), key


def without_its_last_line(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("name", "damage"), [(records.WEIGHTS, truncate), (records.HISTORY, without_its_last_line)]
)
def test_a_result_of_another_run_is_not_given_an_end(
    job, dataset, killed_after_its_result, go, name, damage
):
    damage(job.folder / name)

    with pytest.raises(
        RunError, match=r"result\.json' does not belong to this run: .*; use --fresh to"
    ):
        go(job, dataset)

    assert records.read_run(job.folder).finish is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "holds another run: seed is 3 there, 4 here; use --fresh"),
        ({"budget": "0.5"}, "holds another run: budget is 1 there, 0.5 here; use --fresh"),
    ],
)
def test_a_folder_of_another_run_is_refused(job, dataset, uninterrupted, change, message, go):
    with pytest.raises(RunError, match=message):
        go(replace(job, folder=uninterrupted, **change), dataset)


def test_a_folder_of_another_recipe_is_refused_with_the_keys_named(job, dataset, uninterrupted, go):
    tree = job.recipe.model_dump()
    tree["optimizer"]["momentum"] = 0.8
    tree["stages"][1]["epochs"] = 2.0
    other = type(job.recipe).model_validate(tree)

    with pytest.raises(RunError) as refused:
        go(replace(job, recipe=other, folder=uninterrupted), dataset)

    assert "optimizer.momentum is 0.9 there, 0.8 here; stages.1.epochs is 1.5 there, 2.0 here" in (
        str(refused.value)
    )


def test_a_folder_of_other_data_is_refused(job, dataset, uninterrupted, go):
    other = replace(dataset, provenance=dataset.provenance | {"content_sha256": {"train": "2"}})

    with pytest.raises(RunError, match="holds another run: the data's content; use --fresh"):
        go(replace(job, folder=uninterrupted), other)


def test_the_second_stage_starts_from_the_epoch_it_names(
    job, dataset, uninterrupted, elsewhere, weights_of, go
):
    # With a rate of nearly nothing the second stage ends where it started, but for the statistics.
    tree = job.recipe.model_dump()
    tree["stages"][0]["epochs"] = 2.0
    tree["stages"][1]["schedule"]["learning_rate"] = 1e-30
    tree["stages"][1] |= {"epochs": 0.5, "start": {"stage": 1, "epoch": 1.0}}
    still = replace(elsewhere("still"), recipe=type(job.recipe).model_validate(tree))
    go(still, dataset)
    tree["stages"] = [
        {"epochs": 1.0, "schedule": {"kind": "constant", "learning_rate": 0.1}},
    ]
    short = replace(elsewhere("short"), recipe=type(job.recipe).model_validate(tree))
    go(short, dataset)

    ours, theirs = weights_of(still.folder), weights_of(short.folder)
    name = next(name for name in ours if "conv" in name)
    np.testing.assert_array_equal(ours[name], theirs[name])
    # Of a network that training leaves as it is this would say nothing.
    assert not np.array_equal(weights_of(uninterrupted)[name], theirs[name])


def test_tests_left_out_change_no_weight_and_resuming_keeps_to_them(
    monkeypatch, job, dataset, uninterrupted, weights_of, go, stop_at
):
    sparse = replace(job, test_every=2)
    with monkeypatch.context() as patch:
        # After the last step of an epoch that is not tested.
        stop_at(patch, "on_train_batch_end", 6)
        with pytest.raises(Interrupted):
            go(sparse, dataset)
    with pytest.raises(RunError, match=r"--test-every 2.*--fresh.*--no-test"):
        go(replace(job, test_every=0), dataset)

    go(sparse, dataset)

    rows, every = records.read_history(job.folder), records.read_history(uninterrupted)
    tests = [row.test_accuracy for row in every]
    assert [row.test_accuracy for row in rows] == [None, tests[1], None, tests[3], tests[4]]
    assert [row.loss for row in rows] == [row.loss for row in every]
    assert records.read_run(job.folder).test_every == 2
    assert records.read_result(job.folder).best_on_test.test_accuracy == max(tests[1], *tests[3:])
    theirs = weights_of(uninterrupted)
    for name, array in weights_of(job.folder).items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    # A finished run is the same, however often it was tested.
    assert go(job, dataset) == records.read_result(job.folder)

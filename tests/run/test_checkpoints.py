import errno
import json
import os
import shutil
from dataclasses import replace

import keras
import pytest
from accidents import Killed, flip_a_bit, kill_at_step, truncate

from cifar_keras import files, records
from cifar_keras.errors import RunError
from cifar_keras.run.checkpoint import Snapshot, Store, encode, read
from cifar_keras.run.folder import move_aside, record
from cifar_keras.run.position import Position


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory):
    return tmp_path_factory.mktemp("killed") / "noisy" / "seed-3"


@pytest.fixture
def killed(monkeypatch, killed_once, job, dataset, go):
    """A copy of a run with two checkpoints, after steps 6 and 12; these."""
    if not killed_once.exists():
        with monkeypatch.context() as patch:
            kill_at_step(patch, 14)
            with pytest.raises(Killed):
                go(replace(job, folder=killed_once), dataset)
    shutil.copytree(killed_once, job.folder)
    return sorted((job.folder / records.CHECKPOINTS).iterdir())


TOLD = "step-000000012.ckpt' is damaged: its checksum does not match; using the one before it"


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, lambda path: path.write_bytes(b"")])
def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_is_read(killed, caplog, damage):
    damage(killed[-1])

    snapshot = Store(killed[-1].parent, ()).newest()

    assert TOLD in caplog.text
    assert (snapshot.position["stage"], snapshot.position["step"]) == (0, 6)


@pytest.mark.slow
def test_a_run_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(
    job, dataset, killed, uninterrupted, caplog, same_bits, go
):
    flip_a_bit(killed[-1])

    go(job, dataset)

    assert TOLD in caplog.text
    same_bits(job.folder, uninterrupted)


def test_a_checkpoint_of_another_run_is_refused(job, dataset, killed, go):
    snapshot = read(killed[-1])
    snapshot.position["run"] |= {"seed": 4, "data": {"train": "2"}}
    killed[-1].write_bytes(encode(snapshot))
    before = (job.folder / records.HISTORY).read_bytes()

    other = r"step-000000012.ckpt' is from another run, with another seed and data; "
    with pytest.raises(RunError, match=other + "remove it, or use --fresh"):
        go(job, dataset)

    assert (job.folder / records.HISTORY).read_bytes() == before
    assert killed[-1].exists()


def test_a_checkpoint_of_an_earlier_version_does_not_know_its_run_and_is_resumed(killed):
    snapshot = read(killed[-1])
    assert snapshot.position.pop("run")["seed"] == 3
    killed[-1].write_bytes(encode(snapshot))

    newest = Store(killed[-1].parent, (), {"seed": 4}).newest()

    assert newest.position["step"] == 12


def test_of_eleven_stages_the_last_checkpoints_are_kept(tmp_path):
    store = Store(tmp_path, ())
    for stage in range(11):
        store.save(Snapshot({"stage": stage, "step": 7}, {}))

    names = [path.name for path in store.paths()]
    assert names == ["stage-10-step-000000007.ckpt", "stage-11-step-000000007.ckpt"]
    assert store.newest().position == {"stage": 10, "step": 7}


def test_a_damaged_checkpoint_does_not_count_among_the_last_two(
    monkeypatch, job, dataset, killed, go
):
    truncate(killed[-1])
    with monkeypatch.context() as patch:
        kill_at_step(patch, 3)  # the ninth, after the one that is saved behind the eighth
        with pytest.raises(Killed):
            go(job, dataset, steps=4)

    kept = [path.name for path in sorted((job.folder / records.CHECKPOINTS).iterdir())]
    assert kept == ["stage-1-step-000000006.ckpt", "stage-1-step-000000008.ckpt"]


def test_an_absent_newest_checkpoint_leaves_the_one_before(killed, caplog):
    killed[-1].unlink()

    snapshot = Store(killed[-1].parent, ()).newest()

    assert snapshot.position["step"] == 6
    assert not caplog.text


def test_when_all_checkpoints_are_damaged_nothing_is_overwritten(job, dataset, killed, go):
    for path in killed:
        truncate(path)

    with pytest.raises(RunError, match=r"all checkpoints in .* are damaged; use --fresh"):
        go(job, dataset)

    assert all(path.exists() for path in killed)


def test_a_full_disk_ends_the_run_and_keeps_the_checkpoint_before(monkeypatch, job, dataset, go):
    fsync, calls = os.fsync, [0]

    def full(handle):
        name = os.readlink(f"/proc/self/fd/{handle}")
        calls[0] += ".ckpt." in name
        if ".ckpt." in name and calls[0] == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(RunError, match=r"^no space left to write '.*-000000012.ckpt'; free"):
            go(job, dataset)
    kept = [path.name for path in (job.folder / records.CHECKPOINTS).iterdir()]
    assert kept == ["stage-1-step-000000006.ckpt"]
    assert Store(job.folder / records.CHECKPOINTS, ()).newest().position["step"] == 6


def test_fresh_keeps_the_old_folder_under_another_name(job, killed):
    first = move_aside(job.folder)
    (job.folder).mkdir()
    (job.folder / records.RUN).write_text("{}")
    second = move_aside(job.folder)

    assert (first.name, second.name) == ("seed-3.old-1", "seed-3.old-2")
    assert (first / records.CHECKPOINTS / killed[-1].name).exists()
    assert records.find_runs([job.folder.parent.parent]) == []


def test_resuming_under_another_version_warns_that_identity_is_not_claimed(job, killed, caplog):
    path = job.folder / records.RUN
    run = json.loads(path.read_text())
    machine = dict(run["events"][-1]["machine"])
    run["events"][-1]["versions"]["keras"] = "3.0.0"
    run["events"][-1]["machine"]["onednn"] = not machine["onednn"]
    path.write_text(json.dumps(run))

    record(job.folder, "resumed", Position(step=12), machine)

    assert f"keras 3.0.0 -> {keras.__version__}" in caplog.text
    assert f"onednn {not machine['onednn']} -> {machine['onednn']}" in caplog.text
    assert "no longer be bit-identical" in caplog.text

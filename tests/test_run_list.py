import fcntl
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from made import made_epoch, made_result, made_run

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run.folder import locked, move_aside
from cifar_keras.run_list import runs_table

TWO_STAGES = (
    "stages=[{epochs: 20, start: scratch, frozen: [],"
    " schedule: {kind: constant, learning_rate: 0.1}},"
    "{epochs: 10, start: {stage: 1, epoch: 15}, frozen: [],"
    " schedule: {kind: constant, learning_rate: 0.01}}]"
)
EVENT = {
    "time": "2026-01-01T00:00:00+00:00",
    "stage": 1,
    "step": 0,
    "git": {"revision": None, "dirty": None},
    "versions": {},
    "machine": {},
    "note": None,
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make(tmp_path):
    def make(
        recipe="resnet20",
        seed=1,
        budget="1",
        overrides=(),
        epochs=0,
        seconds=100.0,
        per_epoch=391,
        events=("started",),
    ):
        """A run folder with `epochs` rows; epoch n has a test accuracy of 0.5 + n / 1000."""
        made_of = load_recipe(recipe_path(recipe), overrides)
        folder = (
            tmp_path / "runs" / records.run_name(recipe, seed, budget, overrides, made_of.precision)
        )
        run = made_run(
            recipe,
            made_of,
            seed=seed,
            budget=budget,
            overrides=list(overrides),
            events=[records.Event(kind=kind, **EVENT) for kind in events],
        )
        records.write_record(folder, records.RUN, run)
        if epochs:
            rows = [row(n, seconds, per_epoch) for n in range(1, epochs + 1)]
            records.write_history(folder, rows)
        return folder

    return make


def row(epoch, seconds, per_epoch):
    return made_epoch(
        epoch, step=epoch * per_epoch, test_accuracy=0.5 + epoch / 1000, seconds=seconds
    )


@pytest.fixture
def finish():
    return lambda folder: records.write_record(folder, records.RESULT, made_result())


def cells(table):
    """The rows below the header, split at two and more blanks."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in table.splitlines()[1:]
    ]


def listed(*folders):
    return cells(runs_table(folders))


def test_a_row_tells_how_far_a_run_is(make):
    folder = make(budget="0.1", epochs=7, seconds=80.0)

    # 18 of resnet20's 180 epochs; 11 are left, of 80 s each: 14 min 40 s.
    assert runs_table([folder]).splitlines() == [
        "folder                           recipe    seed    epoch  test accuracy  time left  state",
        "runs/resnet20/seed-1-budget-0.1  resnet20     1  7 of 18        50.70 %     15 min"
        "  interrupted",
    ]


def test_the_validation_accuracy_has_a_column_where_there_is_one(make):
    folders = make(epochs=1), make(overrides=["data.validation=5000"], epochs=2, seed=2)
    rows = [
        each.model_copy(update={"validation_accuracy": 0.25 * number, "validation_loss": 1.0})
        for number, each in enumerate(records.read_history(folders[1]), start=1)
    ]
    records.write_history(folders[1], rows)

    table = runs_table(folders)

    assert table.splitlines()[0].split()[4:9] == ["test", "accuracy", "validation", "time", "left"]
    assert [row[4:6] for row in cells(table)] == [["50.10 %", "-"], ["50.20 %", "50.00 %"]]


def test_a_run_before_its_first_test_has_neither_accuracy_nor_pace(make):
    assert listed(make()) == [
        ["runs/resnet20/seed-1", "resnet20", "1", "0 of 180", "-", "-", "interrupted"]
    ]


def test_synthetic_data_are_named(make):
    assert listed(make("demo"))[0][1] == "demo (synthetic)"


def test_a_precision_other_than_float32_is_named(make):
    folder = make(overrides=("precision=mixed_bfloat16",))

    assert listed(folder)[0][1] == "resnet20 (bfloat16)"


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (0.25, "44 s"),
        (59 / 175, "59 s"),
        (59.5 / 175, "1 min"),
        (1.0, "3 min"),
        (60.0, "2 h 55 min"),
        (3600.0, "175 h 00 min"),
    ],
)
def test_time_left_is_the_mean_pace_times_the_epochs_left(make, seconds, left):
    # 175 of 180 epochs are left.
    assert listed(make(epochs=5, seconds=seconds))[0][5] == left


def test_a_first_slow_epoch_counts_in_the_pace(make):
    folder = make(budget="0.1")
    records.write_history(folder, [row(1, 250.0, 391), row(2, 50.0, 391)])

    # 16 epochs of 150 s on average.
    assert listed(folder)[0][5] == "40 min"


def test_the_epochs_of_all_stages_count(make):
    folder = make(overrides=(TWO_STAGES,), epochs=20)

    assert listed(folder)[0][3:6] == ["20 of 30", "52.00 %", "17 min"]


def test_epochs_are_counted_in_whole_steps(make):
    # 0.001 of 10 epochs of 79 steps is 0.79 of a step, hence one: 0.01266 epochs.
    folder = make("demo", budget="0.001")
    step = {"epoch": 1 / 79, "step": 1}
    records.write_history(folder, [row(1, 9.0, 79).model_copy(update=step)])

    assert listed(folder)[0][3:6] == ["0.01266 of 0.01266", "50.10 %", "0 s"]


def test_a_finished_run_is_done_and_has_no_time_left(make, finish):
    folder = make(budget="0.1", epochs=18, events=("started", "finished"))
    finish(folder)

    assert listed(folder)[0][3:] == ["18 of 18", "51.80 %", "-", "done"]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), "interrupted"),
        (("started",), "interrupted"),
        (("started", "interrupted"), "interrupted"),
        (("started", "failed"), "failed"),
        (("started", "failed", "resumed"), "interrupted"),
    ],
)
def test_an_unfinished_run_that_nobody_trains_is_as_its_last_event_says(make, events, state):
    assert listed(make(events=events))[0][6] == state


@pytest.mark.parametrize("event", ["started", "failed", "interrupted"])
def test_a_run_is_running_while_a_process_holds_its_lock(make, event):
    folder = make(events=(event,))

    with locked(folder):
        during = listed(folder)[0][6]

    assert during == "running"
    assert listed(folder)[0][6] != "running"


def test_listing_changes_nothing_and_hinders_nobody(make, tmp_path):
    free, never_locked = make(seed=1, epochs=3), make(seed=2)
    (free / records.LOCK).touch()

    def state():
        paths = sorted(tmp_path.rglob("*"))
        return [(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]

    before = state()
    runs_table([free, never_locked])

    assert state() == before
    with locked(free):
        pass


def test_another_listing_is_not_taken_for_a_training(make):
    folder = make()
    (folder / records.LOCK).touch()

    with (folder / records.LOCK).open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)

        assert listed(folder)[0][6] == "interrupted"


def test_recipes_stand_together_and_seeds_in_their_order(make):
    for seed in (10, 2, 1):
        make("resnet20", seed)
    make("demo", 3)

    folders = records.find_runs([Path("runs")])

    assert [found[0] for found in listed(*folders)] == [
        "runs/demo/seed-3",
        "runs/resnet20/seed-1",
        "runs/resnet20/seed-2",
        "runs/resnet20/seed-10",
    ]


def test_a_run_that_was_put_aside_is_not_listed(make, capsys):
    move_aside(make(seed=1))
    make(seed=2)

    assert main(["runs"]) == 0
    assert [found[0] for found in cells(capsys.readouterr().out)] == ["runs/resnet20/seed-2"]


DAMAGE = {
    "cut": (records.RUN, '{"name": "resnet20", ', "/run.json' is damaged: Invalid JSON: EOF"),
    "empty": (records.RUN, "", "is damaged"),
    "no text": (records.RUN, b"\xff\xfe", "cannot read"),
    "another budget": (records.RUN, ('"budget": "1"', '"budget": "all"'), "is damaged: budget"),
    "another event": (
        records.RUN,
        ('"kind": "started"', '"kind": "began"'),
        "is damaged: events.0",
    ),
    "a row cut": (records.HISTORY, ("\n2,", "\n2\n2,"), "is damaged at line 3"),
    "a row of text": (records.HISTORY, ("\n2,", "\ntwo,"), "is damaged at line 3: epoch"),
    "no time": (records.HISTORY, (",100,", ",nan,"), "is damaged at line 2: seconds"),
    "epoch 0": (records.HISTORY, ("\n1,", "\n0,"), "is damaged at line 2: epoch"),
    "a long field": (records.HISTORY, "epoch\n" + "1" * 200_000, "is damaged: field larger"),
    "a result cut": (records.RESULT, "{", "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_one_line_of_warning_and_the_others_are_listed(make, caplog, damage):
    whole, damaged = make(seed=1, epochs=3), make(seed=2, epochs=3)
    name, content, reason = DAMAGE[damage]
    path = damaged / name
    if isinstance(content, tuple):
        assert content[0] in path.read_text()
        path.write_text(path.read_text().replace(*content))
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    assert [found[0] for found in listed(whole, damaged)] == ["runs/resnet20/seed-1"]
    [record] = caplog.records
    message = record.getMessage()
    assert (record.name, record.levelno) == ("cifar_keras", logging.WARNING)
    assert message.startswith(f"run folder '{damaged}' is not listed: ")
    assert message.endswith("; restore or remove it")
    assert "\n" not in message
    assert reason in message


def test_a_folder_that_vanishes_meanwhile_is_a_warning(make, caplog):
    folder = make()
    (folder / records.RUN).unlink()

    assert listed(folder) == []
    assert "has no run.json" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no run folders in runs\n"),
        (["--run-dir", "a", "b"], "no run folders in a, b\n"),
        (["--run-dir", "a", "--run-dir", "b"], "no run folders in a, b\n"),
    ],
)
def test_no_folder_at_all_is_said_in_one_line(capsys, arguments, said):
    assert main(["runs", *arguments]) == 0
    assert capsys.readouterr() == (said, "")


def test_several_folders_of_runs_are_listed_together(make, capsys, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    make(seed=1)
    make(seed=2).parent.rename(tmp_path / "elsewhere" / "resnet20")
    make(seed=3)

    assert main(["runs", "--run-dir", "runs", str(tmp_path / "elsewhere")]) == 0
    assert [found[0] for found in cells(capsys.readouterr().out)] == [
        "elsewhere/resnet20/seed-1",
        "elsewhere/resnet20/seed-2",
        "runs/resnet20/seed-3",
    ]


def test_listing_brings_in_neither_keras_nor_tensorflow(make):
    make(epochs=3)
    code = (
        "import sys; from cifar_keras.cli import main; assert main(['runs']) == 0;"
        "print({'keras', 'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    *_, found, loaded = done.stdout.splitlines()
    assert found.startswith("runs/resnet20/seed-1 ")
    assert loaded == "set()"

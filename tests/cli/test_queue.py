import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from made import made_epoch, made_result

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.lengths import published_recipes
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.run import signals

TRAIN = ("train", "--recipe", "demo")


def write_script(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def child(monkeypatch, here, dataset):
    def child(script):
        write_script(here / "child.sh", script)
        monkeypatch.setattr(sys, "executable", str(here / "child.sh"))

    return child


@pytest.fixture
def finished(begun):
    """The run of mine.yaml, a copy of the demo, at its end; its folder."""
    rows = [
        made_epoch(epoch, step=79 * epoch, test_accuracy=0.9, seconds=60.0)
        for epoch in range(1, 11)
    ]
    records.write_history(begun, rows)
    records.write_record(begun, records.RESULT, made_result(seconds=600.0, epochs=10))
    return begun


def of_children(out):
    """What each child was given behind `train`."""
    start = "-m cifar_keras train "
    return [line.removeprefix(start) for line in out.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("seeds", [("--seeds", "1,2"), ("--seeds=1,2",), ("--seeds", "1, 2")])
def test_each_run_has_a_process_with_the_other_arguments(child, capfd, seeds):
    child('echo "$@"')

    assert main(["train", *seeds, "--recipe=demo,resnet20", "--budget", "0.1"]) == 0
    assert of_children(capfd.readouterr().out) == [
        "--budget 0.1 --recipe demo --seed 1",
        "--budget 0.1 --recipe demo --seed 2",
        "--budget 0.1 --recipe resnet20 --seed 1",
        "--budget 0.1 --recipe resnet20 --seed 2",
    ]


def test_several_recipes_take_one_seed_and_one_precision(child, capfd, here):
    child('echo "$@"')
    shutil.copy(recipe_path("demo"), here / "mine.yaml")
    shutil.copy(recipe_path("demo"), here / "other.yaml")
    arguments = ["--precision", "mixed_bfloat16", "--seed", "3"]

    assert main(["train", "--recipe", "mine.yaml,./other.yaml", *arguments]) == 0
    assert of_children(capfd.readouterr().out) == [
        "--precision mixed_bfloat16 --recipe mine.yaml --seed 3",
        "--precision mixed_bfloat16 --recipe ./other.yaml --seed 3",
    ]


def test_a_file_may_have_a_comma_in_its_folder(trained, here):
    (here / "a,b").mkdir()
    shutil.copy(recipe_path("demo"), here / "a,b" / "mine.yaml")

    assert main(["train", "--recipe", "a,b/mine.yaml"]) == 0
    assert trained[0][0].name == "mine"


def test_a_finished_run_is_skipped_and_its_folder_printed(child, capfd, finished):
    child('echo "$@"')

    assert main(["train", "--recipe", "mine.yaml", "--seeds", "1,2"]) == 0
    out, err = capfd.readouterr()
    assert out == "runs/mine/seed-1\n-m cifar_keras train --recipe mine.yaml --seed 2\n"
    # Seed 2 is expected to take as long as seed 1 did.
    assert err.splitlines()[:4] == [
        "cifar-keras: recipe  seed     epoch  test accuracy  time left  state",
        "cifar-keras: mine       1  10 of 10        90.00 %          -  done",
        "cifar-keras: mine       2         -              -     10 min  next",
        "cifar-keras: 2 runs, 1 finished, about 10 min left",
    ]


def test_fresh_skips_nothing(child, capfd, finished):
    child('echo "$@"')

    assert main(["train", "--recipe", "mine.yaml", "--seeds", "1", "--fresh"]) == 0
    assert of_children(capfd.readouterr().out) == ["--fresh --recipe mine.yaml --seed 1"]


def test_the_time_left_is_that_of_a_run_s_own_epochs_where_it_has_some(child, capfd, finished):
    child("exit 0")
    (finished / records.RESULT).unlink()
    records.write_history(finished, records.read_history(finished)[:4])

    main(["train", "--recipe", "mine.yaml", "--seeds", "1"])

    # 6 epochs of a minute.
    row = "cifar-keras: mine       1  4 of 10        90.00 %      6 min  next"
    assert row in capfd.readouterr().err


def test_the_time_left_is_the_measured_one_of_a_shipped_recipe_in_float32(
    child, capfd, monkeypatch
):
    child("exit 0")
    monkeypatch.setattr("cifar_keras.run.queue.measured_seconds", {"resnet20": 36_000.0}.get)

    main(["train", "--recipe", "resnet20,demo", "--budget", "0.1"])
    main(["train", "--recipe", "resnet20,demo", "--precision", "mixed_bfloat16"])

    totals = [line for line in capfd.readouterr().err.splitlines() if "2 runs" in line]
    assert (
        totals[0]
        == "cifar-keras: 2 runs, 0 finished, about 1 h 00 min left, and 1 of unknown length"
    )
    assert totals[-1] == "cifar-keras: 2 runs, 0 finished, 2 of unknown length"


@pytest.mark.parametrize(
    ("script", "ending"), [("exit 1", "exit code 1"), ("kill -9 $$", "SIGKILL")]
)
def test_a_run_that_fails_does_not_end_the_others(child, capfd, script, ending):
    child(f'echo "$@"; case "$*" in *"--seed 1") {script};; esac')

    assert main([*TRAIN, "--seeds", "1,2"]) == 1
    out, err = capfd.readouterr()
    assert len(of_children(out)) == 2
    *_, total, error = err.splitlines()
    assert total.startswith("cifar-keras: 2 runs, 0 finished")
    assert error == (
        f"cifar-keras: error: 1 of 2 runs failed: demo seed 1 ({ending}); see their messages "
        "above; retry with: cifar-keras train --recipe demo --seeds 1,2"
    )


@pytest.mark.parametrize(
    ("recipes", "told"),
    [
        ("demo,resnet20he", "unknown recipe 'resnet20he'; did you mean 'resnet20_he'?"),
        ("demo,nowhere.yaml", "recipe file 'nowhere.yaml' does not exist; correct the path"),
        (
            "mine.yaml,sub/mine.yaml",
            "recipes 'mine.yaml' and 'sub/mine.yaml' would both train in 'runs/mine/seed-1'; "
            "rename one of the files",
        ),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_told_before_any_is(child, refused, here, recipes, told):
    child('echo "$@"')
    (here / "sub").mkdir()
    for place in ("mine.yaml", "sub/mine.yaml"):
        shutil.copy(recipe_path("demo"), here / place)

    assert refused("train", "--recipe", recipes) == (1, f"cifar-keras: error: {told}")


def test_a_folder_that_holds_another_run_is_told_before_any_is_trained(child, refused, begun):
    child('echo "$@"')
    other = load_recipe(recipe_path("demo"), ["data.pad=3"])
    run = records.read_run(begun).model_copy(update={"recipe": other})
    records.write_record(begun, records.RUN, run)

    code, line = refused("train", "--recipe", "demo,mine.yaml")

    assert code == 1
    assert line.startswith(
        "cifar-keras: error: 'runs/mine/seed-1' holds another run: data.pad is 3"
    )
    assert line.endswith("; use --fresh to start over, or another --run-dir")


def test_weights_for_a_recipe_that_begins_with_random_ones_are_told_before_any_is_trained(
    child, refused
):
    child('echo "$@"')

    assert refused("train", "--recipe", "resnet20,demo", "--weights", "w.h5") == (
        1,
        "cifar-keras: error: --weights: recipe 'resnet20' has random initial weights; leave it out",
    )


def test_no_recipe_between_two_commas_is_misuse(refused):
    code, line = refused("train", "--recipe", "demo,,resnet20")

    assert code == 2
    assert "argument --recipe: 'demo,,resnet20' has an empty name" in line


def test_published_recipes_are_named_as_train_takes_them_the_shortest_first(capsys):
    assert main(["recipes", "--published"]) == 0

    names = capsys.readouterr().out.strip().split(",")
    assert names == published_recipes()
    assert names[-1] == "resnext29_8x64d"
    assert names.index("airbench94") < names.index("resnet20") < names.index("resnet110")
    assert not {"demo", "speedrun10"} & set(names)


@pytest.mark.parametrize(("script", "code"), [("kill -INT $$", 130), ("exit 143", 143)])
def test_a_run_that_somebody_stops_ends_the_queue(child, capfd, script, code):
    child(f'echo "$@"; {script}')

    assert main(["train", "--recipe", "demo,resnet20"]) == code
    out, err = capfd.readouterr()
    assert len(of_children(out)) == 1
    assert err.splitlines()[-1] == (
        "cifar-keras: stopped at demo seed 1; resume with: cifar-keras train --recipe demo,resnet20"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_parent_stops_the_child_and_the_seeds_after_it(
    monkeypatch, child, capfd, here, number, code
):
    monkeypatch.setattr(signals, "at_a_terminal", lambda: False)
    child(
        "trap 'echo stopped; exit 130' INT; trap 'echo stopped; exit 143' TERM\n"
        "touch ready; while :; do sleep 0.05; done"
    )
    before = signal.getsignal(number)

    def send():
        while not (here / "ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()

    assert main([*TRAIN, "--seeds", "1,2"]) == code
    out, err = capfd.readouterr()
    assert out == "stopped\n"
    assert err.splitlines()[-1] == (
        "cifar-keras: stopped at demo seed 1; resume with: cifar-keras train --recipe demo "
        "--seeds 1,2"
    )
    assert signal.getsignal(number) is before


AT_A_TERMINAL = """
import os, pty, sys, time
pid, terminal = pty.fork()
if not pid:
    from cifar_keras.cli import main
    sys.executable = "./child.sh"
    os._exit(main(["train", "--recipe", "demo", "--seeds", "1,2"]))
while not os.path.exists("ready"):
    time.sleep(0.02)
os.write(terminal, b"\\x03")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_ctrl_c_at_a_terminal_reaches_the_child_once(here):
    # The terminal itself sends it to the child, whom a second one would end at once.
    script = "trap 'echo >> received' INT; touch ready; sleep 9; sleep 1; exit 130"
    write_script(here / "child.sh", script)

    command = [sys.executable, "-c", AT_A_TERMINAL]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "130\n"
    assert (here / "received").read_text() == "\n"

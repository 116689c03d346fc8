import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from cifar_keras import runs
from cifar_keras.cli import main, parser, training
from cifar_keras.data import DATASETS, Dataset, Split
from cifar_keras.errors import Interrupted, RunError
from cifar_keras.recipe import load_recipe, recipe_path

COMMANDS = {
    (): ["--version"],
    ("train",): [
        "--recipe",
        "--seed",
        "--seeds",
        "--budget",
        "--set",
        "--run-dir",
        "--data-dir",
        "--devices",
        "--checkpoint-every",
        "--fresh",
    ],
    ("evaluate",): ["RUN", "--data-dir"],
    ("report",): ["--run-dir", "--output"],
    ("runs",): ["--run-dir"],
    ("recipes",): ["show"],
    ("recipes", "show"): ["NAME|FILE", "--set"],
    ("data",): ["fetch", "verify", "show"],
    ("data", "fetch"): ["cifar10", "cifar100", "--data-dir"],
    ("data", "verify"): ["cifar10", "cifar100", "--data-dir"],
    ("data", "show"): ["synthetic100", "--data-dir", "--recipe", "--output", "--seed"],
}


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    # A shell without job control has its background jobs ignore SIGINT, and so these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and no data but what a test puts somewhere."""
    for variable in ("HOME", "KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.delenv("CIFAR_KERAS_DATA", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def refused(capsys):
    """Run a command that fails; its exit code and its one line on stderr."""

    def refused(*arguments):
        try:
            code = main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return code, err.rstrip("\n")

    return refused


@pytest.fixture
def dataset(monkeypatch):
    """A few images, which every recipe gets."""
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    few = Dataset(
        name="synthetic10",
        train=split(8),
        test=split(8),
        class_names=tuple("abcdefghij"),
        provenance={"name": "synthetic10", "synthetic": True, "content_sha256": {"train": "1"}},
    )
    monkeypatch.setattr("cifar_keras.data.load", lambda name, data_dir: few)
    return few


RESULT = runs.Result(
    test_accuracy=0.9166,
    test_correct=9166,
    test_images=10000,
    test_loss=0.3,
    epochs=18,
    steps=7038,
    best_on_test=runs.BestOnTest(test_accuracy=0.92, epoch=17),
    parameters=272292,
    macs=40_800_000,
    seconds=1.0,
    images_per_second=1.0,
    peak_memory_mib=1,
    weights_sha256="0" * 64,
    finished="2026-01-01T00:00:00+00:00",
)


@pytest.fixture
def trained(monkeypatch, dataset):
    """What training was asked for; it ends at once with a result, or as `trained.ends` says."""

    class Trained(list):
        def ends(self, error):
            self.error = error

    calls = Trained()
    calls.error = None

    def train(job, dataset, strategy, every):
        calls.append((job, strategy, every))
        if calls.error:
            raise calls.error
        return RESULT

    monkeypatch.setattr("cifar_keras.training.train.train", train)
    return calls


# Help.


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_names_its_options(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])

    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert out.startswith(" ".join(["usage: cifar-keras", *command]))
    for option in COMMANDS[command]:
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", out), option


@pytest.mark.parametrize("command", [(), ("recipes",), ("data",)], ids=" ".join)
def test_no_command_is_left_out_here(capsys, command):
    with pytest.raises(SystemExit):
        main([*command, "--help"])

    named = re.findall(r"^    (\w+)  ", capsys.readouterr().out, re.MULTILINE)
    depth = len(command)
    assert named == [
        each[depth] for each in COMMANDS if each[:depth] == command and len(each) == depth + 1
    ]


def test_help_brings_in_nothing_heavy():
    code = (
        "import sys\nfrom cifar_keras.cli import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print({'tensorflow', 'keras', 'numpy', 'pydantic', 'yaml'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("usage: cifar-keras train")
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])

    assert stop.value.code == 0
    assert re.fullmatch(r"cifar_keras \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_data_sets_offered_are_those_there_are():
    assert parser.DATASETS == DATASETS


# Misuse: exit code 2, the value, and what to write.


TRAIN = ("train", "--recipe", "demo")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("trian",), "argument COMMAND: invalid choice: 'trian' (choose from "),
        (("train",), "the following arguments are required: --recipe"),
        ((*TRAIN, "--buget", "0.1"), "unknown argument '--buget'"),
        ((*TRAIN, "--budg", "0.1"), "unknown argument '--budg'"),
        ((*TRAIN, "more"), "unknown argument 'more'"),
        ((*TRAIN, "--budget", "0"), "argument --budget: '0' is no positive number; write 0.1, say"),
        ((*TRAIN, "--budget", "-1"), "argument --budget: '-1' is no positive number; write 0.1"),
        ((*TRAIN, "--budget", "abc"), "argument --budget: 'abc' is no positive number; write 0.1"),
        ((*TRAIN, "--budget", "nan"), "argument --budget: 'nan' is no positive number; write 0.1"),
        ((*TRAIN, "--budget", "inf"), "argument --budget: 'inf' is no positive number; write 0.1"),
        ((*TRAIN, "--budget", "1e9"), "argument --budget: '1e9' is not from 0.000001 to 1000"),
        ((*TRAIN, "--budget", "1e-7"), "argument --budget: '1e-7' is not from 0.000001 to 1000"),
        ((*TRAIN, "--budget"), "argument --budget: expected one argument"),
        ((*TRAIN, "--seed", "-1"), "argument --seed: '-1' is no whole number from 0 to 2147483647"),
        ((*TRAIN, "--seed", "1.5"), "argument --seed: '1.5' is no whole number from 0 to"),
        ((*TRAIN, "--seed", "one"), "argument --seed: 'one' is no whole number from 0 to"),
        ((*TRAIN, "--seed", "²"), "argument --seed: '²' is no whole number from 0 to"),
        ((*TRAIN, "--seed", str(2**31)), "argument --seed: '2147483648' is no whole number from 0"),
        ((*TRAIN, "--seeds", "1,x"), "argument --seeds: 'x' is no whole number from 0 to"),
        ((*TRAIN, "--seeds", "1,,2"), "argument --seeds: '' is no whole number from 0 to"),
        (
            (*TRAIN, "--seed", "1", "--seeds", "1,2"),
            "argument --seeds: not allowed with argument --seed",
        ),
        *(
            (
                (*TRAIN, "--checkpoint-every", text),
                f"argument --checkpoint-every: '{text}' is no time and no number of steps; "
                "write 10min or 500steps",
            )
            for text in ("0", "-1", "abc", "nan", "inf", "0steps", "1.5steps", "steps", "10h")
        ),
        (("evaluate",), "the following arguments are required: RUN"),
        (("recipes", "hide"), "argument ACTION: invalid choice: 'hide' (choose from "),
        (("data",), "the following arguments are required: ACTION"),
        (("data", "fetch", "mnist"), "argument dataset: invalid choice: 'mnist' (choose from "),
        (("data", "fetch", "synthetic10"), "argument dataset: invalid choice: 'synthetic10'"),
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_that_names_value_and_remedy(refused, here, arguments, told):
    code, line = refused(*arguments)

    prog, _, message = line.partition(": error: ")
    assert code == 2
    assert message.startswith(told)
    assert message.endswith(f"; see '{prog} --help'")
    assert not any(here.iterdir())


def test_the_help_that_misuse_points_to_is_the_commands_own(refused):
    assert refused("recipes", "show", "demo", "--sett", "x=1")[1] == (
        "cifar-keras recipes show: error: unknown argument '--sett'; "
        "see 'cifar-keras recipes show --help'"
    )


# What the user can mend: exit code 1, one line, nothing written.


def test_an_unknown_recipe_names_the_nearest(refused, here):
    assert refused("train", "--recipe", "resnet20he") == (
        1,
        "cifar-keras: error: unknown recipe 'resnet20he'; did you mean 'resnet20_he'?",
    )
    assert not any(here.iterdir())


@pytest.mark.parametrize("command", [("recipes", "show"), ("train", "--recipe")], ids=" ".join)
@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "optimizer.momentum=fast",
            "demo.yaml: key 'optimizer.momentum' = 'fast': this is text where a number belongs",
        ),
        (
            "optimizer.weight_decay=1e-4",
            "demo.yaml: key 'optimizer.weight_decay' = '1e-4': '1e-4' is text to YAML; "
            "write 0.0001",
        ),
        (
            "optimizer.momentm=0.8",
            "--set 'optimizer.momentm': unknown key 'momentm'; did you mean 'momentum'?",
        ),
        ("momentum", "--set 'momentum': write KEY=VALUE, as in optimizer.momentum=0.8"),
    ],
)
def test_a_wrong_override_is_one_line(refused, here, command, override, told):
    assert refused(*command, "demo", "--set", override) == (1, f"cifar-keras: error: {told}")
    assert not any(here.iterdir())


def test_all_mistakes_of_a_recipe_are_told_a_line_each(capsys, here):
    text = recipe_path("demo").read_text()
    (here / "mine.yaml").write_text(
        text.replace("momentum:", "momentm:").replace("crop: 32", "crop: 1")
    )

    code = main(["train", "--recipe", "mine.yaml"])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 3
    assert all(line.startswith("cifar-keras: error: mine.yaml: ") for line in err.splitlines())


@pytest.fixture
def no_network(monkeypatch):
    def urlopen(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)


@pytest.mark.parametrize(
    "command", [("train", "--recipe", "resnet20"), ("data", "fetch", "cifar10")], ids=" ".join
)
def test_missing_data_that_cannot_be_downloaded_are_one_line(capsys, no_network, here, command):
    (here / "data").mkdir()

    code = main([*command, "--data-dir", "data"])

    out, err = capsys.readouterr()
    *said, error = err.splitlines()
    assert (code, out) == (1, "")
    assert all(line.startswith("downloading https://") for line in said)
    assert error.startswith("cifar-keras: error: cannot download https://")
    assert "Name or service not known" in error
    assert error.endswith(
        "name a writable folder that holds it with --data-dir or CIFAR_KERAS_DATA"
    )
    assert [path.name for path in here.rglob("*")] == ["data"]


def test_missing_data_are_not_downloaded_to_be_verified(refused):
    code, line = refused("data", "verify", "cifar10")

    assert code == 1
    assert "run `cifar-keras data fetch cifar10`, or put cifar-10-python.tar.gz in one" in line


def test_a_data_folder_that_is_not_there_is_told(refused, here):
    code, line = refused("train", "--recipe", "resnet20", "--data-dir", "nowhere")

    assert code == 1
    assert line.endswith("the data folder must exist: make it or correct it. Received: nowhere")
    assert not any(here.iterdir())


@pytest.fixture
def no_gpu(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        ("gpu:0", "--devices 'gpu:0': no GPU is visible to TensorFlow; use cpu or auto"),
        ("gpu:0,1", "--devices 'gpu:0,1': no GPU is visible to TensorFlow; use cpu or auto"),
        ("gpu:a", "--devices 'gpu:a': 'a' is no number; write gpu:0,1"),
        ("gpu", "--devices 'gpu': write auto, cpu, or gpu:0,1"),
        ("tpu", "--devices 'tpu': write auto, cpu, or gpu:0,1"),
    ],
)
def test_a_device_that_is_not_there_is_told(refused, dataset, no_gpu, here, devices, told):
    assert refused(*TRAIN, "--devices", devices) == (1, f"cifar-keras: error: {told}")
    assert not any(here.iterdir())


@pytest.mark.parametrize("fresh", [(), ("--fresh",)], ids=["", "fresh"])
def test_a_run_folder_that_cannot_be_written_is_told(refused, dataset, here, fresh):
    (here / "taken").touch()

    assert refused(*TRAIN, "--run-dir", "taken", *fresh) == (
        1,
        "cifar-keras: error: cannot write 'taken/demo/seed-1/.lock': Not a directory; "
        "choose another folder",
    )


@pytest.fixture
def begun(dataset, here):
    """A run of mine.yaml, a copy of the demo; its folder."""
    shutil.copy(recipe_path("demo"), here / "mine.yaml")
    recipe = load_recipe(here / "mine.yaml")
    folder = here / "runs" / "mine" / "seed-1"
    run = runs.Run(
        name="mine",
        recipe=recipe,
        recipe_sha256=recipe.sha256(),
        seed=1,
        budget="1",
        overrides=[],
        command=["cifar-keras", "train"],
        started="2026-01-01T00:00:00+00:00",
        provenance={"data": dataset.provenance},
    )
    runs.write_record(folder, runs.RUN, run)
    return folder


def test_a_run_folder_of_an_edited_recipe_is_refused_naming_what_differs(refused, begun, here):
    text = (here / "mine.yaml").read_text()
    text = text.replace("  momentum: 0.9", "  momentum: 0.8").replace("epochs: 10", "epochs: 12")
    (here / "mine.yaml").write_text(text.replace("title: demo", "title: another title"))
    before = (begun / runs.RUN).read_bytes()

    code, line = refused("train", "--recipe", "mine.yaml")

    assert code == 1
    assert line.startswith("cifar-keras: error: 'runs/mine/seed-1' holds another run: ")
    told = line.partition("holds another run: ")[2].split("; ")
    assert sorted(told[:2]) == [
        "optimizer.momentum is 0.9 there, 0.8 here",
        "stages.0.epochs is 10.0 there, 12.0 here",
    ]
    assert told[2:] == ["use --fresh to start over, or another --run-dir"]
    assert (begun / runs.RUN).read_bytes() == before


def test_a_run_folder_of_other_data_is_refused(refused, begun, dataset):
    dataset.provenance["content_sha256"] = {"train": "2"}

    assert refused("train", "--recipe", "mine.yaml") == (
        1,
        "cifar-keras: error: 'runs/mine/seed-1' holds another run: the data's content; "
        "use --fresh to start over, or another --run-dir",
    )


def test_a_run_folder_in_use_is_refused(refused, begun):
    from cifar_keras.training.folder import locked

    with locked(begun):
        assert refused("train", "--recipe", "mine.yaml") == (
            1,
            "cifar-keras: error: another process is training in 'runs/mine/seed-1'; "
            "wait for it, or stop it",
        )


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_only_a_run_folder_is_evaluated(refused, here, name):
    (here / "empty").mkdir()
    (here / "file").touch()

    assert refused("evaluate", name) == (
        1,
        f"cifar-keras: error: '{name}' has no run.json: not a run folder, or unfinished; "
        "see 'cifar-keras runs'",
    )


def test_an_unfinished_run_is_not_evaluated(refused, begun):
    code, line = refused("evaluate", str(begun))

    assert code == 1
    assert "has no final.weights.h5: finish the run with" in line


def test_a_report_that_cannot_be_written_is_told(refused, here):
    (here / "taken").touch()

    assert refused("report", "--output", "taken/reports") == (
        1,
        "cifar-keras: error: cannot write 'taken/reports/comparison.md': Not a directory; "
        "choose another folder",
    )


def test_a_sheet_that_cannot_be_written_is_told(refused, dataset, here):
    (here / "way").write_text("mine")

    assert refused("data", "show", "synthetic10", "--output", "way/sheet.png") == (
        1,
        "cifar-keras: error: cannot write 'way/sheet.png': File exists; choose another folder",
    )
    assert [path.name for path in here.iterdir()] == ["way"]


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, ValueError])
def test_a_bug_keeps_its_traceback(monkeypatch, error):
    def load(*_):
        raise error("a bug")

    monkeypatch.setattr("cifar_keras.data.load", load)

    with pytest.raises(error, match="a bug"):
        main(list(TRAIN))


# What training is asked for, and what is said of it.


def test_the_job_is_what_the_command_says(trained):
    arguments = [*TRAIN, "--seed", "7", "--set", "optimizer.momentum=0.8", "--run-dir", "elsewhere"]

    assert main([*arguments, "--checkpoint-every", "500steps", "--devices", "cpu"]) == 0

    [(job, strategy, every)] = trained
    assert (job.name, job.seed, job.budget) == ("demo", 7, "1")
    assert job.recipe.optimizer.momentum == 0.8
    assert job.overrides == ("optimizer.momentum=0.8",)
    assert job.folder == Path("elsewhere") / runs.run_name("demo", 7, "1", job.overrides)
    assert job.command[:3] == ("cifar-keras", "train", "--recipe")
    assert (every.steps, every.seconds) == (500, None)
    assert strategy.num_replicas_in_sync == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 600), ("10min", 600), ("0.5 min", 30), (None, 900)]
)
def test_checkpoints_are_asked_for_in_minutes(trained, text, seconds):
    main([*TRAIN, *(["--checkpoint-every", text] if text else [])])

    assert (trained[0][2].steps, trained[0][2].seconds) == (None, seconds)


@pytest.mark.parametrize(
    "texts", [("0.1", "0.10", "1e-1", ".1"), ("1", "1.0", "1e0"), ("10", "1e1")]
)
def test_a_budget_written_otherwise_meets_the_same_folder(trained, texts):
    for text in texts:
        main([*TRAIN, "--budget", text])

    folders = {job.folder for job, _, _ in trained}
    ending = {"0.1": "-budget-0.1", "1": "", "10": "-budget-10"}[texts[0]]
    assert folders == {Path(f"runs/demo/seed-1{ending}")}
    assert {job.budget for job, _, _ in trained} == {texts[0]}


def test_overrides_in_another_order_meet_the_same_folder(trained):
    overrides = ["optimizer.momentum=0.8", "optimizer.nesterov=true"]
    for first, second in (overrides, reversed(overrides)):
        main([*TRAIN, "--set", first, "--set", second])

    assert len({job.folder for job, _, _ in trained}) == 1


def test_stdout_is_the_run_folder_alone(trained, capsys):
    assert main([*TRAIN, "--budget", "0.1"]) == 0
    assert capsys.readouterr() == (
        "runs/demo/seed-1-budget-0.1\n",
        "cifar-keras: finished: 91.66 % of 10,000 test images after the last epoch (18)\n",
    )


def test_a_finished_run_says_so(trained, capsys, here):
    runs.write_record(here / "runs" / "demo" / "seed-1", runs.RESULT, RESULT)

    assert main(list(TRAIN)) == 0
    assert capsys.readouterr() == (
        "runs/demo/seed-1\n",
        "cifar-keras: finished before: 91.66 % of 10,000 test images after the last epoch (18); "
        "--fresh starts over\n",
    )


def test_a_fresh_run_keeps_the_old_one_under_another_name(trained, begun, capsys):
    assert main(["train", "--recipe", "mine.yaml", "--fresh"]) == 0

    assert (begun.with_name("seed-1.old-1") / runs.RUN).is_file()
    assert capsys.readouterr().err.splitlines()[0] == (
        "cifar-keras: the earlier run is now 'runs/mine/seed-1.old-1'"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_go_on(trained, refused, number, code):
    trained.ends(Interrupted("interrupted after step 3 of stage 1; the state is saved", number))

    assert refused("train", "--fresh", "--recipe", "demo", "--set", "title=a b") == (
        code,
        "cifar-keras: interrupted after step 3 of stage 1; the state is saved; go on with: "
        "cifar-keras train --recipe demo --set 'title=a b'",
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_stopped_before_its_first_step_says_how_to_go_on(monkeypatch, refused, number, code):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("cifar_keras.data.load", lambda *_: os.kill(os.getpid(), number))

    assert refused(*TRAIN) == (
        code,
        "cifar-keras: interrupted; go on with: cifar-keras train --recipe demo",
    )
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_in_another_command_is_one_line(monkeypatch, refused):
    monkeypatch.setattr(
        "cifar_keras.data.sources.fetch", lambda *_: os.kill(os.getpid(), signal.SIGINT)
    )

    assert refused("data", "fetch", "cifar10") == (130, "cifar-keras: interrupted")


def test_a_failed_run_is_one_line(trained, refused):
    trained.ends(RunError("the loss is no finite number after epoch 3"))

    assert refused(*TRAIN) == (
        1,
        "cifar-keras: error: the loss is no finite number after epoch 3",
    )


# Several seeds: a process each, here played by a shell script.


def write_script(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def child(monkeypatch, here):
    def child(script):
        write_script(here / "child.sh", script)
        monkeypatch.setattr(sys, "executable", str(here / "child.sh"))

    return child


@pytest.mark.parametrize("seeds", [("--seeds", "1,2"), ("--seeds=1,2",), ("--seeds", "1, 2")])
def test_each_seed_has_a_process_with_the_other_arguments(child, capfd, seeds):
    child('echo "$@"')

    assert main(["train", *seeds, "--recipe", "demo", "--budget", "0.1"]) == 0
    assert capfd.readouterr() == (
        "-m cifar_keras train --recipe demo --budget 0.1 --seed 1\n"
        "-m cifar_keras train --recipe demo --budget 0.1 --seed 2\n",
        "",
    )


def test_a_seed_that_fails_ends_the_others(child, capfd):
    child('echo "$@"; exit 1')

    assert main([*TRAIN, "--seeds", "1,2"]) == 1
    assert capfd.readouterr().out.count("\n") == 1


def test_a_seed_that_is_killed_says_how_to_go_on(child, refused):
    child("kill -9 $$")

    assert refused(*TRAIN, "--seeds", "1,2") == (
        137,
        "cifar-keras: stopped at seed 1; go on with: cifar-keras train --recipe demo --seeds 1,2",
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_parent_stops_the_child_and_the_seeds_after_it(
    monkeypatch, child, capfd, here, number, code
):
    monkeypatch.setattr(training, "_at_a_terminal", lambda: False)
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
    assert capfd.readouterr() == (
        "stopped\n",
        "cifar-keras: stopped at seed 1; go on with: cifar-keras train --recipe demo --seeds 1,2\n",
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


# The whole, in processes of its own.


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)

    command = [sys.executable, "-m", "cifar_keras", "recipes"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)

    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def start(*arguments):
    command = [sys.executable, "-m", "cifar_keras", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, code=0):
    """What the process prints until it ends, which must be with this code."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


def command_that_continues(err):
    [line] = [line for line in err.splitlines() if "go on with: " in line]
    return line.partition("go on with: cifar-keras ")[2].split()


def wait_for_step(process):
    """Read stderr until the first steps are timed."""
    for line in process.stderr:
        if "epochs to go" in line:
            return
    raise AssertionError("it has ended")


@pytest.fixture
def tiny(here):
    """A recipe of 8 steps of the demo's network."""
    text = recipe_path("demo").read_text()
    (here / "tiny.yaml").write_text(
        re.sub(r"(?s)stages:.*reference", STAGE.format(epochs=0.1) + "reference", text)
    )
    return here / "tiny.yaml"


STAGE = """stages:
  - epochs: {epochs}
    start: scratch
    schedule: {{kind: constant, learning_rate: 0.01}}
"""


@pytest.mark.slow
def test_train_evaluate_report_and_runs(tiny, here):
    out, err = finish(start("train", "--recipe", "tiny.yaml"))
    assert out == "runs/tiny/seed-1\n"
    assert "tiny seed 1 (synthetic data): epoch 0.1013 of 0.1013, " in err

    out, _ = finish(start("evaluate", "runs/tiny/seed-1"))
    accuracy = 100 * runs.read_result(Path("runs/tiny/seed-1")).test_accuracy
    assert out.splitlines()[:2] == [
        "tiny seed 1 on synthetic10 (synthetic, not CIFAR)",
        f"test accuracy {accuracy:.2f} % ({10 * accuracy:.0f} of 1,000)",
    ]

    out, _ = finish(start("report"))
    assert "reports/comparison.md" in out.splitlines()
    assert "tiny" in (here / "reports/comparison.md").read_text()

    out, _ = finish(start("runs"))
    assert out.splitlines()[1].split("  ")[0] == "runs/tiny/seed-1"
    assert out.splitlines()[1].endswith("  done")

    out, err = finish(start("train", "--recipe", "tiny.yaml"))
    assert out == "runs/tiny/seed-1\n"
    assert "finished before: " in err


@pytest.mark.slow
def test_a_run_stopped_twice_is_finished_by_the_commands_it_names(tiny):
    process = start("train", "--recipe", "tiny.yaml", "--budget", "40")
    wait_for_step(process)
    running, _ = finish(start("runs"))
    assert running.splitlines()[1].endswith("  running")
    process.send_signal(signal.SIGTERM)
    _, err = finish(process, 143)

    process = start(*command_that_continues(err))
    wait_for_step(process)
    process.send_signal(signal.SIGINT)
    _, err = finish(process, 130)
    stopped, _ = finish(start("runs"))
    assert stopped.splitlines()[1].endswith("  interrupted")

    out, _ = finish(start(*command_that_continues(err)))
    assert out == "runs/tiny/seed-1-budget-40\n"
    run = runs.read_run(Path(out.strip()))
    assert [event.kind for event in run.events] == [
        "started",
        "interrupted",
        "resumed",
        "interrupted",
        "resumed",
        "finished",
    ]


@pytest.mark.slow
def test_two_seeds_are_two_folders_and_stop_together(tiny):
    out, _ = finish(start("train", "--recipe", "tiny.yaml", "--seeds", "1,2"))
    assert out == "runs/tiny/seed-1\nruns/tiny/seed-2\n"

    process = start("train", "--recipe", "tiny.yaml", "--seeds", "3,4", "--budget", "100")
    wait_for_step(process)
    process.terminate()
    _, err = finish(process, 143)

    assert err.splitlines()[-1] == (
        "cifar-keras: stopped at seed 3; go on with: "
        "cifar-keras train --recipe tiny.yaml --seeds 3,4 --budget 100"
    )
    [event] = runs.read_run(Path("runs/tiny/seed-3-budget-100")).events[1:]
    assert event.kind == "interrupted"
    assert not Path("runs/tiny/seed-4-budget-100").exists()
    assert finish(start("runs"))[0].count("interrupted") == 1

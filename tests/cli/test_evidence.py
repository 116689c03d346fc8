import json
import shutil

import numpy as np
import pytest
from PIL import Image

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.data.recorded import Inputs
from cifar_keras.models import build_model
from cifar_keras.verify import Check

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def weighted(begun):
    """The folder of a run with weights, those that its network begins with."""
    recipe = records.read_run(begun).recipe
    model = build_model(recipe.model.name, (32, 32, 3), 10, recipe.model.arguments)
    model.save_weights(begun / records.WEIGHTS)
    return begun


@pytest.fixture
def checked(monkeypatch):
    """Replaces the checks of every run; a function to say what they find."""

    def checked(*checks):
        monkeypatch.setattr("cifar_keras.verify.verify_run", lambda *_: iter(checks))

    return checked


def test_what_holds_is_a_line_each_and_exit_code_0(begun, checked, capsys):
    checked(Check("recipe", "holds", "sha256 1234"), Check("weights", "absent", "weights absent"))

    assert main(["verify", str(begun)]) == 0
    assert capsys.readouterr() == (
        f"{begun}\n"
        "  holds          recipe                                     sha256 1234\n"
        "  absent         weights                                    weights absent\n"
        "  files agree; accuracy not recomputed\n"
        "1 run folder: 0 recomputed, 1 files only, 0 unfinished\n",
        "",
    )


def test_what_does_not_hold_is_exit_code_1(begun, checked, capsys):
    checked(Check("data", "FAILS", "other data"))

    assert main(["verify", "--all", "--run-dir", "runs"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        "  FAILS          data                                       other data",
        "  verification failed",
        "1 run folder: 0 recomputed, 0 files only, 0 unfinished, 1 FAILS",
    ]
    assert err == (
        "cifar-keras: 'runs/mine/seed-1' failed verification: see its lines that begin with FAILS\n"
    )


def test_a_damaged_folder_does_not_hold_and_the_next_is_checked(begun, checked, capsys):
    checked(Check("data", "holds"))
    damaged = begun.with_name("seed-0")
    damaged.mkdir()
    (damaged / records.RUN).write_text("{")

    assert main(["verify", "--all", "--run-dir", "runs"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  FAILS          folder")
    assert "run.json' is damaged: " in lines[1]
    assert lines[4] == "  holds          data"
    assert lines[-1] == "2 run folders: 1 recomputed, 0 files only, 0 unfinished, 1 FAILS"


def test_an_unfinished_run_is_verified_as_far_as_it_goes(begun, capsys):
    tree = json.loads((begun / records.RUN).read_text())
    (begun / records.RUN).write_text(json.dumps(tree | {"recipe_sha256": "0" * 64}))

    assert main(["verify", str(begun)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  FAILS          recipe   ")
    assert lines[2].endswith("no recipe 'mine' is shipped")
    assert lines[-3].startswith("  unfinished     result.json")


def test_runs_are_counted_by_what_could_be_found_again(begun, monkeypatch, capsys):
    for name in ("seed-2", "seed-3"):
        shutil.copytree(begun, begun.with_name(name))
    states = {"seed-1": "unfinished", "seed-2": "absent", "seed-3": "holds"}
    monkeypatch.setattr(
        "cifar_keras.verify.verify_run",
        lambda folder, *_: iter([Check("one", "holds"), Check("two", states[folder.name])]),
    )

    assert main(["verify", "--all", "--run-dir", "runs"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "3 run folders: 1 recomputed, 1 files only, 1 unfinished"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify"], ("name run folders", "--all")),
        (["verify", "a", "--all"], ("name run folders", "--all")),
        (["verify", "a", "--run-dir", "b"], ("--run-dir", "--all")),
        (["compare", "a"], ("two run folders",)),
    ],
)
def test_misuse_is_one_line(refused, arguments, told):
    command = arguments[0]

    code, line = refused(*arguments)

    assert code == 2
    assert line.startswith(f"cifar-keras {command}: error: ")
    assert line.endswith(f"; see 'cifar-keras {command} --help'")
    assert all(part in line for part in told)


def test_no_folder_at_all_is_told(refused):
    assert refused("verify", "--all") == (
        1,
        "cifar-keras: error: no run folders in reports/runs; name another folder with --run-dir",
    )


def test_five_classes_an_image_and_the_resizing_on_stderr(weighted, here, capsys):
    for name, side in (("a.png", 32), ("b.png", 64)):
        Image.fromarray(np.full((side, side, 3), 100, np.uint8)).save(here / name)

    assert main(["predict", str(weighted), "a.png", "b.png"]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert (len(lines), lines[0], lines[6]) == (12, "a.png", "b.png")
    assert lines[1:6] == lines[7:]
    assert all(line.split()[1] == "%" and line.split()[2] in "abcdefghij" for line in lines[1:6])
    assert err == "cifar-keras: 'b.png' is resized from 64x64 to 32x32\n"


@pytest.mark.parametrize("recorded", [True, False])
def test_the_data_are_loaded_only_for_a_run_that_recorded_nothing_of_them(
    weighted, dataset, here, monkeypatch, recorded
):
    loaded = []
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: loaded.append(1) or dataset)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(here / "a.png")
    if recorded:
        inputs = Inputs.of(dataset, records.read_run(weighted).recipe.data)
        records.write_preprocessing(weighted, inputs.record())

    assert main(["predict", str(weighted), "a.png"]) == 0
    assert main(["export", str(weighted), "--to", "keras"]) == 0

    assert len(loaded) == (0 if recorded else 2)


def test_a_file_that_is_no_image_is_told(refused, begun, here):
    (here / "a.png").write_text("no image")

    assert refused("predict", str(begun), "a.png") == (
        1,
        "cifar-keras: error: cannot read 'a.png' as an image: its format is none of PNG, "
        "JPEG, GIF, BMP, TIFF, WEBP, PPM; use PNG or JPEG, for example",
    )


def test_an_export_is_named_after_its_run(weighted, here, capsys):
    assert main(["export", str(weighted), "--to", "savedmodel"]) == 0

    assert capsys.readouterr().out == "mine-seed-1-savedmodel\nmine-seed-1-savedmodel.json\n"
    assert (here / "mine-seed-1-savedmodel" / "saved_model.pb").is_file()


def test_an_export_of_another_precision_names_it(weighted, here, capsys):
    tree = json.loads((weighted / records.RUN).read_text())
    tree["recipe"]["precision"] = "mixed_bfloat16"
    (weighted / records.RUN).write_text(json.dumps(tree))

    assert main(["export", str(weighted), "--to", "keras"]) == 0

    assert capsys.readouterr().out.splitlines()[0] == "mine-seed-1-mixed_bfloat16.keras"


def test_a_name_that_is_taken_is_told_and_overwrite_replaces_an_export(
    refused, weighted, here, capsys
):
    command = ("export", str(weighted), "--to", "keras", "--output", "a.keras")
    assert main(command) == 0
    capsys.readouterr()

    assert refused(*command) == (
        1,
        "cifar-keras: error: 'a.keras' is there already; add --overwrite to replace an earlier "
        "export, or choose another name with --output",
    )
    assert main([*command, "--overwrite"]) == 0


def test_a_run_without_weights_is_not_exported(refused, begun):
    assert refused("export", str(begun), "--to", "keras") == (
        1,
        f"cifar-keras: error: '{begun}' has no final.weights.h5: finish the run with "
        "`cifar-keras train`",
    )


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["train", "--recipe", "demo", "--tensorboard"], "tensorboard", "tensorboard"),
        (["train", "--recipe", "demo", "--mlflow"], "mlflow", "mlflow"),
        (["export", "RUN", "--to", "onnx"], "tf2onnx", "onnx"),
    ],
)
def test_a_missing_package_is_one_line_that_names_the_extra(
    refused, begun, monkeypatch, arguments, package, extra
):
    monkeypatch.setattr("cifar_keras.extras.find_spec", lambda package: None)
    arguments = [str(begun) if each == "RUN" else each for each in arguments]
    option = "--to onnx" if extra == "onnx" else f"--{extra}"

    assert refused(*arguments) == (
        1,
        f"cifar-keras: error: {option} needs {package}, which is not installed; "
        f"pip install 'cifar_keras[{extra}]'",
    )


def test_trackers_are_off_by_default_and_on_where_asked_for(trained, monkeypatch):
    monkeypatch.setattr("cifar_keras.extras.find_spec", lambda package: "found")
    main(["train", "--recipe", "demo"])
    main(["train", "--recipe", "demo", "--tensorboard", "--mlflow"])

    assert [job.trackers for job, _, _ in trained] == [(), ("tensorboard", "mlflow")]

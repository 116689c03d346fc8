"""A run folder may come from anybody: what it says never becomes a path or markup."""

import json

import pytest

from cifar_keras.recipe import upgrade
from cifar_keras.report import write_report
from cifar_keras.report.results import collect
from cifar_keras.runs import RUN


def edit(folder, **changes):
    tree = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps(tree | changes))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../../X"),
        ("name", ".."),
        ("name", ".hidden"),
        ("name", "-option"),
        ("name", "a/b"),
        ("name", "a b"),
        ("name", ""),
        ("name", "resnet20\n"),
        ("name", 'x"><img src=q onerror=alert(1)>'),
        ("name", "a" * 101),
        ("recipe_sha256", "/../../X" + "0" * 56),
        ("budget", "0.1/../../X"),
        ("budget", "1" * 300),
    ],
)
def test_what_names_files_and_is_no_name_leaves_the_run_out(
    tmp_path, resnet20, make_run, key, value
):
    folder = make_run(tmp_path / "a" / "b" / "runs", resnet20, accuracies=[0.9])
    edit(folder, **{key: value})
    before = {path for path in tmp_path.rglob("*")}

    write_report([("resnet20", resnet20)], [tmp_path / "a" / "b" / "runs"], tmp_path / "out")

    assert {path for path in tmp_path.rglob("*") if path not in before} == {
        path for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    }
    [left_out] = collect([], [tmp_path / "a" / "b" / "runs"]).left_out
    assert left_out.name == "resnet20/seed-1"
    assert left_out.reason.startswith(f"'resnet20/seed-1/run.json' is damaged: {key}: ")
    assert repr(value[:100]) in left_out.reason


def test_a_published_curve_lies_in_the_folder_of_published_curves(tmp_path, resnet20, make_run):
    recipe = resnet20.model_dump(mode="json")
    recipe["reference"]["curve"]["file"] = "../../../etc/passwd"
    edit(make_run(tmp_path, resnet20, accuracies=[0.9]), recipe=upgrade(recipe))

    [left_out] = collect([], [tmp_path]).left_out

    assert "recipe.reference.curve.file: " in left_out.reason
    assert "'../../../etc/passwd'" in left_out.reason

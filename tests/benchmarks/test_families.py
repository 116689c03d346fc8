import pytest

from benchmarks.families import CONTENDERS, FAMILIES, GEMMS
from benchmarks.workers import Failed, command, environment, readable
from cifar_keras.recipe import load_recipe, recipe_path


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_agrees_with_its_recipe(name):
    family, recipe = FAMILIES[name], load_recipe(recipe_path(name))

    assert (family.dataset, family.num_classes) == (recipe.dataset, recipe.num_classes)
    data = recipe.data
    assert (family.batch_size, family.pad, family.crop) == (data.batch_size, data.pad, data.crop)
    assert family.sizes == ([size for _, size in data.sizes] or [data.crop])


def test_a_family_of_one_size_has_one_training_case():
    assert FAMILIES["resnet20"].cases == ["train", "evaluate", "pipeline"]
    assert FAMILIES["speedrun100"].cases[:3] == ["train@20", "train@24", "train@32"]


def test_stock_keras_is_measured_as_installed(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")

    assert "TF_ENABLE_ONEDNN_OPTS" not in environment(CONTENDERS["keras"])
    assert environment(CONTENDERS["keras-onednn"])["TF_ENABLE_ONEDNN_OPTS"] == "1"


def test_a_command_runs_the_contenders_module_with_its_options():
    assert command(GEMMS["gemm-tensorflow"])[1:] == ["-m", "benchmarks.peers.gemm"]
    assert command(CONTENDERS["keras"], "resnet20", "data")[2:] == [
        "benchmarks.peers.stock",
        "resnet20",
        "data",
    ]


def test_each_bfloat16_contender_gets_its_option():
    told = {
        each.name: command(each)[3:]
        for each in (*CONTENDERS.values(), *GEMMS.values())
        if each.precision == "bfloat16" and not each.venv
    }

    assert told == {
        "ours-bf16": ["--set", "precision=mixed_bfloat16"],
        "keras-bf16": ["--bfloat16"],
        "gemm-tensorflow-bf16": ["--bfloat16"],
    }


def test_a_missing_environment_is_reported_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.workers.ROOT", tmp_path)

    with pytest.raises(Failed, match="environment is missing; run 'make bench'"):
        command(CONTENDERS["torch"], "resnet20")


def test_a_message_in_the_report_names_no_folder_and_is_short():
    assert readable("cannot open /home/someone/thing.py\n now") == "cannot open thing.py now"
    assert len(readable("x" * 500)) == 160

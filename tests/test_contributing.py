"""The guide "Adding a network" of CONTRIBUTING.md, followed word for word."""

import re
import textwrap
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from cifar_keras import cli, records
from cifar_keras.data import synthetic
from cifar_keras.experiment.network import build_network
from cifar_keras.models import MODELS
from cifar_keras.recipe import load_recipe

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding a network\n")[2]


def block(language):
    [found] = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)
    return textwrap.dedent(found)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """The guide's files, its network in MODELS; the path of its recipe."""
    (tmp_path / "tiny.py").write_text(block("python"))
    spec = spec_from_file_location("tiny", tmp_path / "tiny.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    [key] = re.findall(r'`"(\w+)": tiny`', GUIDE)
    monkeypatch.setitem(MODELS, key, module.tiny)
    (tmp_path / "tiny.yaml").write_text(block("yaml"))
    return tmp_path / "tiny.yaml"


def test_the_network_has_the_stated_number_of_parameters(recipe):
    # 3 * 3 * 3 * 16 + 16 and 16 * 10 + 10.
    assert load_recipe(recipe).parameters == 618
    assert build_network(load_recipe(recipe)).output_shape == (None, 10)


@pytest.mark.slow
def test_the_network_trains(recipe, tmp_path, monkeypatch):
    # 400 images, 4 steps an epoch.
    plan = synthetic.PLANS["synthetic10"]
    few = replace(plan, train_per_class=40, test_per_class=20)
    monkeypatch.setitem(synthetic.PLANS, "synthetic10", few)
    arguments = ["--set", "dataset=synthetic10", "--budget", "0.112", "--run-dir", str(tmp_path)]

    assert cli.main(["train", "--recipe", str(recipe), *arguments]) == 0

    [history] = tmp_path.rglob(records.HISTORY)
    rows = records.read_history(history.parent)
    assert rows[-1].step > 60
    # The loss of a guess is ln(10).
    assert rows[-1].loss < 2.2 < rows[0].loss


def test_the_guide_names_files_that_are_there():
    for name in ("cifar_keras/models/__init__.py", "docs/recipes.md"):
        assert (ROOT / name).is_file()
        assert name in GUIDE

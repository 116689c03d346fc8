"""The pages of docs/: their commands are understood, and their examples work."""

import re
import shlex
import sys
from pathlib import Path

import pytest

import cifar_keras
from cifar_keras.cli.parser import parse
from cifar_keras.experiment.network import build_network
from cifar_keras.models import allow_outside, outside
from cifar_keras.recipe import load_recipe

ROOT = Path(__file__).resolve().parent.parent
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.DOTALL | re.MULTILINE)


COMMANDS = [
    (page, line)
    for page in sorted(PAGES)
    for block in blocks(page, "sh")
    for line in block.splitlines()
    if line.startswith("cifar-keras ")
]


@pytest.fixture
def own_network(tmp_path, monkeypatch):
    """A folder with the two files of own-network.md, from which networks may be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outside, "_folders", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    [module] = blocks("own-network.md", "python")
    [recipe] = blocks("own-network.md", "yaml")
    Path("my_networks.py").write_text(module)
    Path("tiny.yaml").write_text(recipe)
    yield tmp_path
    sys.modules.pop("my_networks", None)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_every_command_of_a_page_is_understood(page, line, own_network):
    assert parse(shlex.split(line)[1:])


def test_the_network_of_the_guide_is_built(own_network):
    recipe = load_recipe(own_network / "tiny.yaml")
    allow_outside(own_network)

    # 3 * 3 * 3 * 16 + 16 and 16 * 10 + 10.
    assert build_network(recipe).count_params() == 618


@pytest.mark.slow
def test_the_training_of_own_images_runs(capsys):
    [code] = blocks("own-data.md", "python")
    names = {}

    exec(code, names)

    assert names["model"].output_shape == (None, 5)
    assert "loss" in capsys.readouterr().out


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text()

    assert f"\nversion: {cifar_keras.__version__}\n" in citation

"""The Python examples of docs/python.md and of the README run."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from cifar_keras.data import Dataset, Split

ROOT = Path(__file__).resolve().parent.parent

# Keras 3.15 saves variables through np.array(variable), which NumPy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run_examples(page):
    """Run the Python code of a page in its order; return its names."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    names = {}
    exec("\n".join(blocks), names)
    return names


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the committed runs, and few images in place of every data set."""
    random = np.random.RandomState(0)

    def split(count):
        images = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        return Split(images, random.randint(0, 10, count))

    names = tuple("abcdefghij")
    provenance = {"synthetic": True, "official": False, "content_sha256": {"train": "1"}}
    few = Dataset("synthetic10", split(128), split(100), names, provenance=provenance)
    monkeypatch.setattr("cifar_keras.data.load", lambda *_, **__: few)
    # What XLA would compile for convolutions has no part in it.
    monkeypatch.setattr("cifar_keras.layers.convolution._LEAST_CHANNELS", 1000)
    (tmp_path / "reports").symlink_to(ROOT / "reports")
    monkeypatch.chdir(tmp_path)
    return few


@pytest.mark.slow
def test_the_examples_of_the_page_run(here):
    names = run_examples("docs/python.md")

    assert names["x_train"].shape == (128, 32, 32, 3)
    assert names["probabilities"].shape == (100, 10)
    np.testing.assert_allclose(
        keras.ops.softmax(names["logits"]), names["probabilities"], rtol=1e-4, atol=1e-6
    )
    assert names["deeper"].count_params() > names["model"].count_params()
    assert isinstance(names["same"], keras.Model)
    assert names["table"].folder.tolist() == ["runs/demo/seed-1-budget-0.1"]


@pytest.mark.slow
def test_the_examples_of_the_readme_run(here):
    names = run_examples("README.md")

    assert names["run"].predict(here.test.images[:5]).shape == (5, 10)


def test_the_page_documents_every_name():
    import cifar_keras

    table = (ROOT / "docs" / "python.md").read_text().partition("\n## ")[0]

    assert set(re.findall(r"`(\w+)(?=[(`])", table)) >= {*cifar_keras.__all__} - {"__version__"}

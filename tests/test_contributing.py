import re
import textwrap
from pathlib import Path

import keras
from keras import layers

from cifar_keras.models import MODELS, build_model, trainable_parameters
from cifar_keras.recipe import load_recipe, recipe_path
from cifar_keras.recipe.strict_yaml import load_yaml

TEXT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text()


def block(language):
    [found] = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    return textwrap.dedent(found)


def test_the_worked_example_is_a_network_with_a_recipe(monkeypatch):
    names = {"keras": keras, "layers": layers}
    exec(block("python"), names)
    monkeypatch.setitem(MODELS, "tiny", names["tiny"])
    changes = load_yaml(block("yaml"))
    overrides = [f"{key}={value}" for key, value in changes.items() if key != "reference"]

    recipe = load_recipe(recipe_path("resnet20"), [*overrides, "reference=null"])
    model = build_model(
        recipe.model.name, recipe.input_shape, recipe.num_classes, recipe.model.arguments
    )

    # 3 * 3 * 3 * 16 + 16 and 16 * 10 + 10.
    assert trainable_parameters(model) == recipe.parameters == 618


def test_the_worked_example_names_files_that_are_there():
    package = Path(__file__).resolve().parent.parent

    for name in ("cifar_keras/models/__init__.py", "recipes/resnet20.yaml"):
        assert (package / name).is_file()
        assert name.split("/")[-1] in TEXT

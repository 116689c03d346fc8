"""Networks outside this package, `module:function`, and names that are refused."""

import sys

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.models import allow_outside, build_model, outside, trainable_parameters

SHAPE = (8, 8, 3)
NETWORKS = """
import keras

number = 3


class Tiny(keras.Model):
    pass


def tiny(input_shape, num_classes, filters: int, title):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(filters, 3)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x), name=title)


def defaulted(input_shape, num_classes, filters: int = 4):
    return tiny(input_shape, num_classes, filters, "defaulted")


def odd(input_shape, num_classes):
    raise ValueError("depth 9 must be even")


def nothing(input_shape, num_classes):
    return 3


def headless(input_shape, num_classes):
    return tiny(input_shape, num_classes + 1, 2, "headless")


def wrong(shape, classes):
    return None


def unstatable(input_shape, num_classes, model: Tiny):
    return None
"""


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    """Write a module of networks into an allowed folder; return the folder."""
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    (tmp_path / "broken_networks.py").write_text("import no_such_package\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(outside, "_folders", [])
    allow_outside(tmp_path)
    yield tmp_path
    sys.modules.pop("my_networks", None)


def build(name, **arguments):
    return build_model(name, SHAPE, 10, arguments)


def test_a_function_of_ones_own_builds_the_network():
    model = build("my_networks:tiny", filters=4, title="mine")

    assert model.name == "mine"
    assert trainable_parameters(model) == 3 * 3 * 3 * 4 + 4 + 4 * 10 + 10


def test_nothing_is_imported_unasked(monkeypatch):
    monkeypatch.setattr(outside, "_folders", [])

    with pytest.raises(RecipeError) as caught:
        build("my_networks:tiny", filters=4, title="mine")

    assert "'my_networks:tiny' is code from outside this package" in str(caught.value)
    assert "--trust-model" in str(caught.value)
    assert "my_networks" not in sys.modules


def test_a_file_of_the_folder_hides_no_installed_module(networks):
    assert sys.path[-1] == str(networks.resolve())


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("my_networks:", {}, "write module:function, as in my_networks:tiny"),
        (":tiny", {}, "write module:function, as in my_networks:tiny"),
        ("my networks:tiny", {}, "write module:function, as in my_networks:tiny"),
        ("my_network:tiny", {}, "no module 'my_network' in {folder} or on the Python path; "),
        ("my_networks:tinny", {}, "module 'my_networks' has no 'tinny'; did you mean 'tiny'?"),
        ("my_networks:resnet", {}, "module 'my_networks' has no 'resnet'; define it in {folder}"),
        ("my_networks:number", {}, "must be a function whose first parameters are input_shape and"),
        ("my_networks:Tiny", {}, "must be a function whose first parameters are input_shape and"),
        ("my_networks:wrong", {}, "must be a function whose first parameters are input_shape and"),
        ("os:system", {}, "must be a function whose first parameters are input_shape and"),
        ("shutil:rmtree", {}, "must be a function whose first parameters are input_shape and"),
        ("my_networks:tiny", {"filters": 4}, "lacks title; add to 'model'"),
        # A recipe states all arguments, so that no default can change it later.
        ("my_networks:defaulted", {}, "lacks filters; add to 'model'"),
        ("my_networks:tiny", {"filtres": 4}, "no argument 'filtres'; did you mean 'filters'?"),
        ("my_networks:tiny", {"filters": "4", "title": "x"}, "filters='4': "),
        ("my_networks:odd", {}, "depth 9 must be even"),
        ("my_networks:nothing", {}, "returned int; must return a functional keras.Model"),
        ("my_networks:headless", {}, "its output is (None, 11); must be logits, (None, 10)"),
        ("my_networks:unstatable", {"model": 3}, "which a recipe cannot express"),
    ],
)
def test_what_is_no_network_is_told_in_one_line(networks, name, arguments, told):
    with pytest.raises(RecipeError) as caught:
        build(name, **arguments)

    assert str(caught.value).startswith(f"model '{name}'")
    assert told.format(folder=networks) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_inside_the_module_keeps_its_traceback():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        build("broken_networks:tiny")

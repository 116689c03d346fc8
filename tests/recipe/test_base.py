"""A recipe that names a base and says what differs."""

import json
import re

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import load_recipe, recipe_names, recipe_path, recipes_folder, resolved
from cifar_keras.recipe.strict_yaml import load_yaml

RESNET20 = load_recipe(recipe_path("resnet20"))


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def refusal(path, overrides=()):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)


def test_a_base_is_taken_but_for_the_title_and_the_reference(write):
    recipe = load_recipe(write("base: resnet20\ntitle: Mine\n"))

    assert recipe.reference is None
    assert recipe == RESNET20.model_copy(update={"title": "Mine", "reference": None})


def test_the_title_is_ones_own(write):
    assert refusal(write("base: resnet20\n")) == "mine.yaml: key 'title' is missing; add it"


def test_sections_merge_key_by_key_and_lists_are_replaced(write):
    text = """
base: airbench94
title: Mine
data:
  batch_size: 512
  mean: none
optimizer:
  momentum: 0.9
  groups: []
"""
    base = load_recipe(recipe_path("airbench94"))

    recipe = load_recipe(write(text))

    assert (recipe.data.batch_size, recipe.data.mean) == (512, "none")
    assert (recipe.data.pad, recipe.data.std) == (2, base.data.std)
    assert (recipe.optimizer.momentum, recipe.optimizer.groups) == (0.9, [])
    assert recipe.optimizer.weight_decay == base.optimizer.weight_decay


def test_a_section_of_another_name_is_replaced_whole(write):
    text = "base: resnet20\ntitle: x\noptimizer: {name: adadelta, rho: 0.9, epsilon: 1.0e-5}\n"

    optimizer = load_recipe(write(text)).optimizer

    assert optimizer.model_dump() == {"name": "adadelta", "rho": 0.9, "epsilon": 1e-5}


def test_a_network_of_another_name_is_replaced_whole(write):
    text = "base: resnet20\ntitle: x\nmodel: {name: tiny, filters: 16}\n"

    assert load_recipe(write(text)).model.arguments == {"filters": 16}


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ("", 272292),
        ("data: {batch_size: 64}", 272292),
        ("data: {crop: 28}", 0),
        ("dataset: cifar100", 0),
        ("model: {depth: 26}", 0),
        ("model: {depth: 26}\nparameters: 5", 5),
    ],
)
def test_the_number_of_parameters_is_the_bases_where_the_network_is(write, changes, parameters):
    recipe = load_recipe(write(f"base: resnet20\ntitle: x\n{changes}\n"))

    assert recipe.parameters == parameters


@pytest.mark.parametrize(
    ("override", "parameters"),
    [
        ("data.batch_size=64", 272292),
        ("model.depth=26", 0),
        ("dataset=cifar100", 0),
        ("data.crop=28", 0),
    ],
)
def test_an_override_of_the_network_takes_its_stated_number_away(override, parameters):
    assert load_recipe(recipe_path("resnet20"), [override]).parameters == parameters
    assert load_recipe(recipe_path("resnet20"), [override, "parameters=5"]).parameters == 5


def test_an_override_names_any_key_of_the_whole_recipe(write):
    path = write("base: resnet20\ntitle: x\n")

    recipe = load_recipe(path, ["data.cutout=8", "stages.0.schedule.boundaries=[10, 20]"])

    assert recipe.data.cutout == 8
    assert recipe.stages[0].schedule.boundaries == [10, 20]


def test_a_base_is_a_file_beside_the_recipe(write, tmp_path, monkeypatch):
    write(resolved(recipe_path("resnet20")), "first.yaml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    recipe = load_recipe(write("base: first.yaml\ntitle: x\nlabel_smoothing: 0.1\n"))

    assert recipe.label_smoothing == 0.1
    assert recipe.model == RESNET20.model


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("resnt20", "base: unknown recipe 'resnt20'; did you mean 'resnet20'?"),
        ("3", "base = 3; must name a recipe or a file"),
        ("[resnet20]", "base = ['resnet20']; must name a recipe or a file"),
        ("mine.yaml", "base 'mine.yaml' has a base of its own; name a recipe without one"),
        ("second.yaml", "base 'second.yaml' has a base of its own; name a recipe without one"),
    ],
)
def test_a_base_that_cannot_be_one_is_told_in_one_line(write, base, told):
    write("base: mine.yaml\ntitle: x\n", "second.yaml")

    assert refusal(write(f"base: {base}\ntitle: x\n")) == f"mine.yaml: {told}"


def test_a_base_file_that_is_missing_is_named_with_its_path(write, tmp_path):
    path = write("base: no.yaml\ntitle: x\n")

    assert refusal(path) == (
        f"mine.yaml: base: recipe file '{tmp_path / 'no.yaml'}' does not exist; correct the path"
    )


def test_a_mistake_in_the_base_is_told_of_the_base(write):
    write("title: x\nsystm: C\n", "first.yaml")

    lines = refusal(write("base: first.yaml\ntitle: x\n")).splitlines()

    assert all(line.startswith("first.yaml: ") for line in lines)


def test_the_base_is_no_key_that_an_override_may_name(write):
    told = refusal(write("base: resnet20\ntitle: x\n"), ["base=resnet32"])

    assert told.startswith("--set 'base': unknown key 'base'")


@pytest.mark.parametrize("name", recipe_names())
def test_what_is_shown_of_a_recipe_is_a_recipe_that_is_the_same(write, name):
    path = write(resolved(recipe_path(name)), f"{name}.yaml")

    assert "\nbase:" not in path.read_text()
    assert load_recipe(path) == load_recipe(recipe_path(name))


def sections(tree, path=()):
    """The paths of all keys, those of lists left out."""
    for key, value in tree.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from sections(value, (*path, key))


def without(tree, path):
    key, *rest = path
    return {k: without(v, rest) if k == key else v for k, v in tree.items() if rest or k != key}


@pytest.mark.parametrize("name", recipe_names())
def test_every_key_of_a_shipped_file_matters(write, name):
    tree = load_yaml(recipe_path(name).read_text())
    recipe = load_recipe(recipe_path(name))
    idle = []
    for path in sections(tree):
        copy = write(json.dumps(without(tree, path)))
        try:
            idle += [path] if load_recipe(copy) == recipe else []
        except RecipeError:
            continue

    assert idle == []


def test_a_shipped_file_fits_on_a_page():
    lengths = sorted(len(recipe_path(name).read_text().splitlines()) for name in recipe_names())

    assert lengths[len(lengths) // 2] <= 40
    assert lengths[-1] <= 100


@pytest.mark.parametrize("page", ["recipes.md", "own-network.md"])
def test_the_first_recipe_of_a_page_of_the_documentation_loads(write, page):
    text = (recipes_folder().parent / "docs" / page).read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)

    recipe = load_recipe(write(blocks[0]))

    assert recipe.reference is None
    assert recipe.optimizer == RESNET20.optimizer

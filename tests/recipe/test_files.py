import os
import re
import subprocess
import sys

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import load_recipe, recipe_names, recipe_path, recipes_folder

SYSTEM_C = ["resnet20", "resnet32", "resnet56", "resnet110"]


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads(name):
    assert load_recipe(recipe_path(name)).title


def test_system_c_is_shipped_in_both_forms():
    assert {*SYSTEM_C, *(f"{name}_he" for name in SYSTEM_C)} <= set(recipe_names())


def test_names_are_in_their_natural_order():
    order = [name for name in recipe_names() if name in SYSTEM_C]

    assert order == SYSTEM_C


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_opens_with_its_command_and_what_to_expect(name):
    opening = recipe_path(name).read_text().split("title:")[0]

    assert re.search(rf"--recipe {name}( \[--weights FILE\])?\n|make {name}\n", opening)
    # A recipe without a published figure says so.
    assert re.search(r"Expect |no published figure|The paper reports", opening.replace("\n# ", " "))


def test_a_recipe_is_found_by_file(tmp_path):
    copy = tmp_path / "mine.yaml"
    copy.write_text(recipe_path("resnet20").read_text())

    assert recipe_path(str(copy)) == copy


def test_recipes_are_found_from_any_folder(tmp_path):
    code = "from cifar_keras.recipe import recipe_path; print(recipe_path('resnet20').name)"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "resnet20.yaml"


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(
        RecipeError, match=r"^unknown recipe 'resnet20he'; did you mean 'resnet20_he'\?$"
    ):
        recipe_path("resnet20he")


def test_a_missing_file_is_named():
    with pytest.raises(
        RecipeError, match=r"^recipe file 'no/such.yaml' does not exist; correct the path$"
    ):
        recipe_path("no/such.yaml")


def load(*overrides):
    return load_recipe(recipes_folder() / "resnet20.yaml", overrides)


@pytest.mark.parametrize(
    "name",
    ['x"><img src=q onerror=alert(1)>', "a b", "a\nb", ".hidden", "..", "-option", "é", "a" * 101],
)
def test_a_file_whose_name_can_name_no_run_is_refused_in_one_line(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.write_text(recipe_path("resnet20").read_text())

    with pytest.raises(RecipeError) as caught:
        recipe_path(str(path))

    assert str(caught.value).startswith(f"recipe file {str(path)!r}: {name!r} ")
    assert str(caught.value).endswith("; rename the file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a", "_", "0", "resnet20_he", "my-net.v2", "A" * 100])
def test_a_file_whose_name_can_name_a_run_is_taken(tmp_path, name):
    path = tmp_path / f"{name}.yaml"
    path.touch()

    assert recipe_path(str(path)) == path


def test_an_override_is_applied():
    assert load("optimizer.momentum=0.8").optimizer.momentum == 0.8


def test_an_override_reaches_into_a_list():
    assert load("stages.0.epochs=200").stages[0].epochs == 200


def test_an_override_changes_the_hash_and_a_comment_does_not(tmp_path):
    commented = tmp_path / "resnet20.yaml"
    commented.write_text("# another comment\n" + recipe_path("resnet20").read_text())

    assert load_recipe(commented).sha256() == load().sha256()
    assert load("data.batch_size=64").sha256() != load().sha256()


def test_the_published_figure_does_not_enter_the_hash():
    assert load("reference=null").sha256() == load().sha256()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "optimizer.momentm=0.8",
            "--set 'optimizer.momentm': unknown key 'momentm'; did you mean 'momentum'?",
        ),
        (
            "stages.1.epochs=3",
            "--set 'stages.1.epochs': unknown key '1'; there are: 0",
        ),
        ("title", "--set 'title': write KEY=VALUE, as in optimizer.momentum=0.8"),
        (
            "optimizer.momentum=1e-4",
            "resnet20.yaml: key 'optimizer.momentum' = '1e-4': '1e-4' is text to YAML; "
            "write 0.0001",
        ),
        (
            "optimizer.weight_decay=1e-5",
            "resnet20.yaml: key 'optimizer.weight_decay' = '1e-5': '1e-5' is text to YAML; "
            "write 1.0e-05",
        ),
        (
            "optimizer.momentum=fast",
            "resnet20.yaml: key 'optimizer.momentum' = 'fast': must be a number, not text",
        ),
        (
            "data.flip=on",
            "resnet20.yaml: key 'data.flip' = True: Input should be 'none', 'random' or "
            "'alternating'; YAML reads yes, no, on and off as true or false; quote text",
        ),
        (
            "data.batch_size=0",
            "resnet20.yaml: key 'data.batch_size' = 0: Input should be greater than or equal to 1",
        ),
        (
            "stages.0.schedule.boundaries=[90, 200]",
            "resnet20.yaml: key 'stages.0' = {'epochs': 180.0, 'start': 'scratch', 'frozen': [], "
            "'schedule': {'kind': 'steps', 'learning_rates...: "
            "boundaries [200.0] are beyond the stage's 180 epochs",
        ),
    ],
)
def test_a_mistake_is_told_with_key_value_and_remedy(override, message):
    with pytest.raises(RecipeError) as caught:
        load(override)

    assert str(caught.value) == message


def broken(tmp_path, old, new):
    path = tmp_path / "broken.yaml"
    text = recipe_path("resnet20").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_all_mistakes_are_told_at_once(tmp_path):
    path = tmp_path / "broken.yaml"
    text = recipe_path("resnet20").read_text()
    text = text.replace("  momentum: 0.9", "  momentm: 0.9").replace("pad: 4", "pad: big")
    path.write_text(text.replace("dataset: cifar10\n", ""))

    with pytest.raises(RecipeError) as caught:
        load_recipe(path)

    assert sorted(str(caught.value).splitlines()) == [
        "broken.yaml: key 'data.pad' = 'big': must be a number, not text",
        "broken.yaml: key 'dataset' is missing; add it",
        "broken.yaml: unknown key 'optimizer.momentm' = 0.9; did you mean 'momentum'?",
    ]


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = broken(tmp_path, "title:", "title: other\ntitle:")

    with pytest.raises(
        RecipeError,
        match=r"^broken.yaml: key 'title' is in the section at line 9 twice; keep one$",
    ):
        load_recipe(path)


def test_an_alias_is_refused(tmp_path):
    path = broken(tmp_path, "system: C", "label_smoothing: &x 0\nsystem: *x")

    with pytest.raises(RecipeError, match="anchors and aliases"):
        load_recipe(path)


def test_text_that_is_no_yaml_is_told_in_one_line(tmp_path):
    path = broken(tmp_path, "title:", "title: [")

    with pytest.raises(RecipeError, match=r"^broken.yaml: not YAML: ") as caught:
        load_recipe(path)

    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_recipes_are_found_in_a_wheel(tmp_path):
    root = recipes_folder().parent
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "wheel")}
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
    subprocess.run([*pip, str(tmp_path / "wheel"), str(root)], check=True)
    code = (
        "import pathlib;"
        "from cifar_keras.recipe import recipe_path, recipe_names;"
        "from cifar_keras.report.published import published_folder;"
        "print(recipe_path('resnet20'), len(recipe_names()));"
        "print(len(list(published_folder().glob('*.csv'))));"
        "from cifar_keras.recipe import load_recipe;"
        "from cifar_keras.report import write_report;"
        "recipes = [(name, load_recipe(recipe_path(name))) for name in recipe_names()];"
        "print(len(write_report(recipes, [], pathlib.Path('reports'))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    place, count = done.stdout.splitlines()[0].rsplit(" ", 1)
    assert place == str(tmp_path / "wheel" / "cifar_keras" / "recipes" / "resnet20.yaml")
    assert int(count) == len(recipe_names())
    assert done.stdout.splitlines()[1] == "4"
    # The comparison twice, the page, a page per system, and two figures of published curves.
    assert done.stdout.splitlines()[2] == str(3 + 8 + 2 * 2)

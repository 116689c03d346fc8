import json
from pathlib import Path

import pytest
import yaml
from made import made_epoch, made_run

from cifar_keras import records
from cifar_keras.cli import main
from cifar_keras.hardware import hardware
from cifar_keras.lengths import lengths
from cifar_keras.recipe import load_recipe, recipe_path


def names(capsys, *arguments):
    assert main(["recipes", *arguments]) == 0
    return [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]


def test_recipes_of_a_system_or_with_a_text_are_listed(capsys):
    system = names(capsys, "--system", "a")
    assert system[0] == "inception_leaky"
    assert len(system) == 5
    assert names(capsys, "--system", "C", "--search", "RESNET-56") == ["resnet56", "resnet56_he"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("--system", "Z"), "A, B, C"), (("--search", "nowhere"), "'nowhere'")],
)
def test_a_filter_that_nothing_passes_is_an_error(refused, arguments, named):
    code, line = refused("recipes", *arguments)

    assert code == 1
    assert named in line


def test_show_tells_what_is_special_and_yaml_is_the_resolved_recipe_alone(capsys):
    assert main(["recipes", "show", "resnet56", "--set", "data.batch_size=64"]) == 0
    shown = capsys.readouterr().out
    assert main(["recipes", "show", "resnet56", "--yaml"]) == 0
    resolved = capsys.readouterr().out

    for fact in ("ResNet-56, neon", "855,588", "batch_size 64", "93.69 %", "resnet20", "depth: 56"):
        assert fact in shown
    assert "\x1b" not in shown
    assert yaml.safe_load(resolved)["model"]["depth"] == 56


@pytest.mark.parametrize("base", ["resnet20", "resnet56", "airbench94", "inception_rrelu"])
def test_a_new_recipe_trains_what_its_base_does(capsys, here, base):
    assert main(["recipes", "new", "mine", "--base", base]) == 0

    assert capsys.readouterr().out == "mine.yaml\n"
    mine, theirs = load_recipe(here / "mine.yaml"), load_recipe(recipe_path(base))
    assert mine.sha256() == theirs.sha256()
    assert (mine.title == theirs.title, mine.reference) == (False, None)


def test_the_keys_that_a_new_recipe_offers_are_those_of_its_base(here):
    main(["recipes", "new", "mine"])
    lines = (here / "mine.yaml").read_text().splitlines()

    first = lines.index("# model:")
    offered = [line.removeprefix("# ") for line in lines[first:]]
    (here / "mine.yaml").write_text("\n".join([*lines[:first], *offered]))

    assert "  depth: 20" in offered
    resnet20 = load_recipe(recipe_path("resnet20"))
    assert load_recipe(here / "mine.yaml").sha256() == resnet20.sha256()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("mine",), "'mine.yaml' exists"),
        (("resnet20",), "'resnet20' is a shipped recipe"),
        (("a/b",), "'a/b'"),
        (("other", "--base", "resnet21"), "did you mean"),
    ],
)
def test_a_new_recipe_never_replaces_anything(refused, here, arguments, named):
    (here / "mine.yaml").write_text("kept")

    code, line = refused("recipes", "new", *arguments)

    assert code == 1
    assert named in line
    assert [(path.name, path.read_text()) for path in here.iterdir()] == [("mine.yaml", "kept")]


@pytest.fixture
def finished_here(here):
    """Write a full run of resnet20 on this machine, at so many images a second; its folder."""

    def make(rate, cpu=None):
        folder = here / "runs" / "resnet20" / "seed-1"
        run = made_run(
            "resnet20",
            budget="0.1",
            provenance={"hardware": hardware([]) | ({"cpu": cpu} if cpu else {})},
        )
        row = made_epoch(images_per_second=rate)
        records.write_record(folder, records.RUN, run)
        records.write_history(folder, [row])

    return make


def test_times_are_those_of_the_trials_scaled_by_the_runs_of_this_machine(finished_here):
    recipes = {name: load_recipe(recipe_path(name)) for name in ("resnet20", "resnet56", "demo")}
    trial = json.loads(
        Path(__file__).parents[2].joinpath("reports/trials/resnet20.json").read_text()
    )
    before = lengths(recipes, [Path("runs")])
    finished_here(2 * trial["images_per_second"])
    after = lengths(recipes, [Path("runs")])
    finished_here(1.0, cpu="another")
    other = lengths(recipes, [Path("runs")])

    assert (before.where, after.where) == ("2 cores", "here")
    assert before.seconds["resnet20"] == trial["seconds_per_run"]
    for name in ("resnet20", "resnet56"):
        assert after.seconds[name] == pytest.approx(before.seconds[name] / 2)
    assert "demo" not in after.seconds
    assert other == before

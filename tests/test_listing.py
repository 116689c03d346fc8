import pytest

from cifar_keras.lengths import Lengths
from cifar_keras.listing import draw_rate, recipes_table, table
from cifar_keras.recipe import load_recipe, recipe_names, recipe_path

TIMES = Lengths({"resnet20": 3600.0}, "2 cores")


def rate(*overrides, **size):
    return draw_rate(load_recipe(recipe_path("resnet20"), overrides), **size).splitlines()


@pytest.fixture(scope="module")
def recipes():
    return {name: load_recipe(recipe_path(name)) for name in recipe_names()}


@pytest.fixture(scope="module")
def lines(recipes):
    return recipes_table(recipes, TIMES).splitlines()


def test_every_recipe_is_a_row_in_natural_order(lines):
    header, *rows = lines

    assert header.split() == [
        *("recipe", "data", "set", "parameters", "epochs", "about,", "2", "cores"),
        *("published", "title"),
    ]
    assert [row.split()[0] for row in rows] == recipe_names()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        (
            "resnet20",
            ["cifar10", "272,292", "180", "1 h 00 min", "91.71 % (last)", "ResNet-20, neon"],
        ),
        (
            "resnet20_he",
            [
                *("cifar10", "269,722", "163.68", "-"),
                *("91.25 % (last, from memory)", "ResNet-20, He et al."),
            ],
        ),
        # Nothing was published on images that this package draws.
        ("demo", ["synthetic10", "77,860", "10", "-", "-", "ResNet-8 on drawn images"]),
    ],
)
def test_a_row_tells_size_length_and_published_accuracy(name, cells, lines):
    [row] = [row for row in lines if row.startswith(f"{name} ")]

    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [name, *cells]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_no_line_is_wider_than_the_terminal_and_every_recipe_keeps_its_epochs(recipes, width):
    header, *rows = recipes_table(recipes, TIMES, width).splitlines()

    assert max(map(len, [header, *rows])) <= max(width, 74)
    assert [row.split()[0] for row in rows] == recipe_names()
    [resnet20] = [row for row in rows if row.startswith("resnet20 ")]
    assert {"180", "91.71"} <= set(resnet20.split())


def test_columns_are_aligned_and_lines_have_no_trailing_blanks():
    text = table(("name", "n", "title"), [("a", "1,000", "long"), ("longer", "2", "")], right=(1,))

    assert text.split("\n") == [
        "name        n  title",
        "a       1,000  long",
        "longer      2",
    ]


def test_the_rate_of_resnet20_is_drawn_as_three_steps():
    # cifar10_msra.py of apark263/cfmz: 0.1 up to epoch 90, 0.01 up to 135, then 0.001, of 180;
    # three epochs a column.
    assert rate() == [
        "     0.1 |" + "*" * 30,
        "         |",
        "         |",
        "         |" + " " * 30 + "*" * 15,
        "         |",
        "         |",
        "         |",
        "   0.001 |" + " " * 45 + "*" * 15,
        "         +" + "-" * 60,
        "          0                                                 180 epochs",
    ]


def test_a_constant_rate_is_one_line():
    constant = "stages.0.schedule={kind: constant, learning_rate: 0.05}"

    lines = rate(constant, width=10, height=3)

    assert [line for line in lines if "*" in line] == ["    0.05 |**********"]


def test_a_linear_rate_rises_and_falls_on_a_logarithmic_axis():
    linear = "{kind: linear, learning_rate: 1.0, knots: [[0, 0.01], [0.5, 1.0], [1, 0.01]]}"

    lines = rate(f"stages.0.schedule={linear}", "stages.0.epochs=0.1", width=12, height=3)

    # 10 steps: 0.01, 0.21, 0.41, 0.60, 0.80, 1.00 and back to 0.21; rows stand for 1, 0.1, 0.01.
    assert lines == [
        "       1 |   ********",
        "         |  *        *",
        "    0.01 |**",
        "         +------------",
        "          0 0.1 epochs",
    ]


def test_the_longest_recipe_is_drawn_at_once():
    shorter = rate()

    longest = rate("stages.0.epochs=90000", "stages.0.schedule.boundaries=[45000, 67500]")

    assert longest[:-1] == shorter[:-1]
    assert longest[-1].endswith(" 90000 epochs")

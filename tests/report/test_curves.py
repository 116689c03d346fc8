import re
import subprocess
import sys
from dataclasses import replace
from math import isnan
from xml.etree import ElementTree

import pandas as pd
import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Curve, load_recipe, recipes_folder
from cifar_keras.report import pictures, write_report
from cifar_keras.report.curves import curve_figure, curve_figures, heading, subheading
from cifar_keras.report.published import published_curve
from cifar_keras.report.results import collect
from cifar_keras.report.series import Series, mean_of, rate_steps, series

SVG = "{http://www.w3.org/2000/svg}"


def words(picture):
    return [each.text for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def points(published):
    return list(published.items())


def labels(figure):
    """The legend's entries; the title and the line below it come before them."""
    return [text.get_text() for text in figure.texts[2:]]


def only_row(root, recipe, name="resnet20"):
    [row] = [row for row in collect([(name, recipe)], [root]).rows if not row.runs.empty]
    return row


@pytest.fixture
def curve(tmp_path):
    rows = "depth,index,error\n20,1,0.10\n20,0,0.25\n32,0,0.5\n"
    (tmp_path / "curve.csv").write_text(rows)
    return Curve(
        file="curve.csv",
        where={"depth": 20},
        stage=None,
        epoch="index",
        value="error",
        quantity="error",
        first_epoch=0,
    )


def test_published_rows_are_selected_and_shifted_to_epochs_finished(tmp_path, curve):
    assert points(published_curve(curve, tmp_path)) == [(1, 25.0), (2, 10.0)]


def test_published_accuracies_counted_from_one_become_errors(tmp_path, curve):
    curve = curve.model_copy(update={"quantity": "accuracy", "first_epoch": 1})

    assert points(published_curve(curve, tmp_path)) == [(0, 75.0), (1, 90.0)]


def test_stages_that_count_anew_are_put_in_sequence(tmp_path, curve):
    rows = "stage,index,error\n2,0,0.2\n1,0,0.5\n1,1,0.4\n1,2,0.3\n2,1,0.1\n10,0,0.05\n"
    (tmp_path / "stages.csv").write_text(rows)
    update = {"file": "stages.csv", "where": {}, "stage": "stage"}

    errors = published_curve(curve.model_copy(update=update), tmp_path)

    assert points(errors) == [(1, 50.0), (2, 40.0), (3, 30.0), (4, 20.0), (5, 10.0), (6, 5.0)]


def test_the_log_of_system_a_is_46_epochs_in_two_stages():
    reference = load_recipe(recipes_folder() / "inception_rrelu.yaml").reference

    errors = published_curve(reference.curve)

    assert list(errors.index) == list(range(1, 47))
    # The CIFAR-100 notebook's log: validation accuracy after the first epoch, at both ends of the
    # change of stages, and at the end.
    assert errors[1] == pytest.approx(72.0243)
    assert errors[39] == pytest.approx(31.1306)
    assert errors[40] == pytest.approx(25.5076)
    assert errors[46] == pytest.approx(24.3133)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "none.csv"}, "published curve 'none.csv': No such file or directory"),
        ({"where": {"depth": 44}}, "published curve 'curve.csv': no rows where {'depth': 44}"),
        (
            {"value": "err"},
            "published curve 'curve.csv': no column 'err'; there are: depth, index, error",
        ),
        (
            {"stage": "part"},
            "published curve 'curve.csv': no column 'part'; there are: depth, index, error",
        ),
    ],
)
def test_a_published_curve_that_is_not_there_is_told(tmp_path, curve, change, message):
    with pytest.raises(RecipeError, match=f"^{re.escape(message)}$"):
        published_curve(curve.model_copy(update=change), tmp_path)


def test_a_full_run_shares_the_axis_of_epochs_with_the_published_curve(
    tmp_path, resnet20, make_run
):
    make_run(tmp_path, resnet20, accuracies=[0.91])

    lines = series(only_row(tmp_path, resnet20))

    assert lines.share is False
    assert points(mean_of(lines.test))[-1] == (180, pytest.approx(9.0))
    # The first and the last point read off the authors' plot: indices 85 and 179 from 0.
    assert points(lines.published)[0] == (86, pytest.approx(12.67))
    assert points(lines.published)[-1] == (180, pytest.approx(8.27))
    assert (lines.steps, lines.zoom) == ([90, 135], 90)


def test_a_scaled_run_is_drawn_against_the_share_of_its_schedule(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")
    row = only_row(tmp_path, resnet20)

    lines = series(row)

    assert lines.share is True
    assert points(mean_of(lines.test))[-1] == (1, pytest.approx(14.0))
    assert points(lines.published)[0] == (pytest.approx(86 / 180), pytest.approx(12.67))
    assert lines.steps[0] == pytest.approx(0.5)
    assert {axes.get_xlabel() for axes in curve_figure(row, lines).axes} == {
        "share of the schedule"
    }


def test_a_run_of_another_length_is_drawn_against_the_share_too(tmp_path, resnet20, make_run):
    overrides = ["stages.0.epochs=200"]
    altered = load_recipe(recipes_folder() / "resnet20.yaml", overrides)
    make_run(tmp_path, altered, accuracies=[0.92], overrides=overrides)

    row = only_row(tmp_path, resnet20)

    assert series(row).share is True
    assert subheading(row) == (
        "1 run, 200 epochs instead of 180, stages.0.epochs=200, "
        "not comparable with the published one"
    )


def test_the_strong_line_is_the_mean_of_the_runs(tmp_path, resnet20, make_run):
    for seed, accuracy in enumerate([0.90, 0.94]):
        make_run(tmp_path, resnet20, accuracies=[accuracy], seed=seed)

    lines = series(only_row(tmp_path, resnet20))

    assert len(lines.test.columns) == 2
    assert points(mean_of(lines.test))[-1] == (180, pytest.approx(8.0))


def test_the_gap_is_the_mean_distance_of_the_curves_once_they_have_settled():
    lines = Series(
        share=False,
        test=pd.DataFrame({"run": 8.0}, index=range(1, 101)),
        train=pd.DataFrame(),
        published=pd.Series({40: 50.0, 51: 30.0, 53: 9.0, 100: 7.5}),
        steps=[50],
    )

    # What lies before the step at 50, or in the fall right behind it, does not count.
    assert lines.gap == pytest.approx(0.75)
    assert isnan(replace(lines, published=lines.published[:0]).gap)


@pytest.mark.parametrize(
    ("rates", "steps"),
    [
        ([0.1, 0.1, 0.1, 0.1], []),
        ([0.1, 0.1, 0.01, 0.01, 0.001, 0.001], [2, 4]),
        ([0.4, 0.3, 0.2, 0.1], []),
        ([0.1], []),
    ],
)
def test_steps_are_marked_where_the_rate_is_mostly_constant(rates, steps):
    assert rate_steps(pd.Series(rates, index=range(1, len(rates) + 1))) == steps


def test_the_title_says_that_a_run_is_scaled(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    text = subheading(only_row(tmp_path, resnet20))

    assert text == "scaled run: 18 of 180 epochs, not comparable with the published one"


def test_the_title_names_synthetic_data(tmp_path, synthetic, make_run):
    make_run(tmp_path, synthetic, accuracies=[0.9], name="demo")

    text = heading(only_row(tmp_path, synthetic, "demo"))

    assert text == "demo: ResNet-20, neon, on synthetic10 (synthetic, not CIFAR)"


def test_pictures_of_unchanged_runs_have_the_same_bytes(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    row = only_row(tmp_path, resnet20)

    first, second = pictures([row]), pictures([row])

    assert sorted(first) == ["resnet20.png", "resnet20.svg", "system_c.png", "system_c.svg"]
    assert first == second


def test_pictures_are_well_formed_and_ask_nothing_of_the_network(tmp_path, resnet20, make_run):
    recipe = resnet20.model_copy(update={"title": "one < two & three"})
    make_run(tmp_path, recipe, accuracies=[0.91], name="mine")

    picture = pictures([only_row(tmp_path, recipe, "mine")])["mine.svg"]

    assert "mine: one < two & three, on CIFAR-10" in words(picture)
    assert not re.search(rb"(?:href|src)=.https?:", picture)


def test_steps_of_the_rate_and_the_published_curve_are_in_the_legend(tmp_path, resnet20, make_run):
    for seed in (1, 2):
        make_run(tmp_path, resnet20, accuracies=[0.91], seed=seed)
    row = only_row(tmp_path, resnet20)

    assert labels(curve_figure(row, series(row))) == [
        "test error (mean)",
        "each run",
        "train error (mean)",
        "published test error",
        "learning-rate drop",
    ]


def test_system_a_is_drawn_in_accuracies_too(tmp_path, make_run):
    recipe = load_recipe(recipes_folder() / "inception_rrelu.yaml")
    make_run(tmp_path, recipe, accuracies=[0.75], name="inception_rrelu")

    figures = curve_figures([only_row(tmp_path, recipe, "inception_rrelu")])

    assert sorted(figures) == ["inception_rrelu", "inception_rrelu-accuracy"]
    assert "accuracy" in figures["inception_rrelu-accuracy"].axes[0].get_ylabel()


def test_the_depths_of_system_c_are_in_one_figure_run_or_not(tmp_path, resnet20, make_run):
    resnet32 = load_recipe(recipes_folder() / "resnet32.yaml")
    make_run(tmp_path, resnet20, accuracies=[0.91])
    recipes = [("resnet20", resnet20), ("resnet32", resnet32)]

    picture = pictures(collect(recipes, [tmp_path]).rows)["system_c.svg"]

    assert {"resnet20 (1 run)", "resnet32 (not run)", "published test"} <= set(words(picture))


def test_a_published_file_that_is_gone_leaves_ours(tmp_path, resnet20, make_run, caplog):
    overrides = ["reference.curve.file=gone.csv"]
    recipe = load_recipe(recipes_folder() / "resnet20.yaml", overrides)
    make_run(tmp_path, recipe, accuracies=[0.91], name="mine")

    lines = series(only_row(tmp_path, recipe, "mine"))

    assert (len(lines.published), len(lines.test.columns)) == (0, 1)
    assert caplog.messages == [
        "the curves of 'mine' are drawn without the published one: "
        "published curve 'gone.csv': No such file or directory"
    ]


def test_a_run_of_one_epoch_is_drawn(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.5], budget="0.005")

    made = pictures([only_row(tmp_path, resnet20)])

    assert sorted(made) == ["resnet20-budget-0.005.png", "resnet20-budget-0.005.svg"]


def test_only_a_reports_own_stale_pictures_are_removed(tmp_path, resnet20, make_run):
    out = tmp_path / "reports"
    make_run(tmp_path / "runs", resnet20, accuracies=[0.91], name="gone")
    write_report([("resnet20", resnet20)], [tmp_path / "runs"], out)
    (out / "curves" / "mine.svg").write_text("<svg/>")
    (out / "curves" / "gone.svg").rename(out / "gone.svg")

    write_report([("resnet20", resnet20)], [], out)

    assert sorted(path.name for path in (out / "curves").iterdir()) == [
        "mine.svg",
        "system_c.png",
        "system_c.svg",
    ]
    assert (out / "gone.svg").exists()


@pytest.mark.slow
def test_a_report_brings_in_no_tensorflow(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    code = (
        "import sys; from cifar_keras.cli import main; "
        f"main(['report', '--run-dir', {str(tmp_path)!r}, '--output', {str(tmp_path)!r}]); "
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (answer.stdout.splitlines()[-1], answer.stderr) == ("[]", "")


def long_run(make_run, folder, **changes):
    recipe = load_recipe(recipes_folder() / "speedrun100_long.yaml")
    reference = recipe.reference.model_copy(update=changes)
    recipe = recipe.model_copy(update={"reference": reference})
    make_run(folder, recipe, accuracies=[0.75], name="speedrun100_long")
    row = only_row(folder, recipe, "speedrun100_long")
    figure = curve_figure(row, series(row))
    levels = [set(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    return levels, labels(figure)


def test_without_a_published_curve_the_published_figure_is_a_level(tmp_path, make_run):
    levels, legend = long_run(make_run, tmp_path)

    assert {23.75} in levels
    assert "published test error of the last epoch" in legend


def test_a_published_figure_of_several_views_is_no_level(tmp_path, make_run):
    levels, legend = long_run(make_run, tmp_path, augmented=True)

    assert {23.75} not in levels
    assert not any(label.startswith("published") for label in legend)

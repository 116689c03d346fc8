import re
import subprocess
import sys

import pytest

from cifar_keras.errors import RecipeError
from cifar_keras.recipe import Curve, load_recipe, recipes_folder
from cifar_keras.report import write_report
from cifar_keras.report.curves import curve_pictures, draw, heading, subheading
from cifar_keras.report.published import published_curve
from cifar_keras.report.results import collect
from cifar_keras.report.series import rate_steps, series
from cifar_keras.runs import Epoch


def only_row(root, recipe, name="resnet20"):
    [row] = [row for row in collect([(name, recipe)], [root]).rows if row.samples]
    return row


def epochs_with_rates(rates):
    values = {"step": 1, "loss": 1, "accuracy": 0.5, "test_loss": 1, "test_accuracy": 0.5}
    return [
        Epoch(epoch=i + 1, learning_rate=rate, seconds=1, images_per_second=1, **values)
        for i, rate in enumerate(rates)
    ]


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
    assert published_curve(curve, tmp_path) == [(1, 25.0), (2, 10.0)]


def test_published_accuracies_counted_from_one_become_errors(tmp_path, curve):
    curve = curve.model_copy(update={"quantity": "accuracy", "first_epoch": 1})

    assert published_curve(curve, tmp_path) == [(0, 75.0), (1, 90.0)]


def test_stages_that_count_anew_are_put_in_sequence(tmp_path, curve):
    rows = "stage,index,error\n2,0,0.2\n1,0,0.5\n1,1,0.4\n1,2,0.3\n2,1,0.1\n10,0,0.05\n"
    (tmp_path / "stages.csv").write_text(rows)
    update = {"file": "stages.csv", "where": {}, "stage": "stage"}

    points = published_curve(curve.model_copy(update=update), tmp_path)

    assert points == [(1, 50.0), (2, 40.0), (3, 30.0), (4, 20.0), (5, 10.0), (6, 5.0)]


def test_the_log_of_system_a_is_46_epochs_in_two_stages():
    reference = load_recipe(recipes_folder() / "inception_rrelu.yaml").reference

    points = published_curve(reference.curve)

    assert [epoch for epoch, _ in points] == list(range(1, 47))
    # SPEC A.4: validation accuracy after the first epoch, at both ends of the change of stages, and
    # at the end.
    errors = dict(points)
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
    assert lines.test_mean[-1] == (180, pytest.approx(9.0))
    # The first and the last point read off the authors' plot: indices 85 and 179 from 0.
    assert lines.published[0] == (86, pytest.approx(12.67))
    assert lines.published[-1] == (180, pytest.approx(8.27))
    assert (lines.steps, lines.zoom) == ([90, 135], 90)


def test_a_scaled_run_is_drawn_against_the_share_of_its_schedule(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")
    row = only_row(tmp_path, resnet20)

    lines = series(row)

    assert lines.share is True
    assert lines.test_mean[-1] == (1, pytest.approx(14.0))
    assert lines.published[0] == (pytest.approx(86 / 180), pytest.approx(12.67))
    assert lines.steps[0] == pytest.approx(0.5)
    assert draw(row, lines).axes[0].get_xlabel() == "share of the schedule"


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

    assert len(lines.test) == 2
    assert lines.test_mean[-1] == (180, pytest.approx(8.0))


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
    assert rate_steps(epochs_with_rates(rates)) == steps


def test_the_title_says_that_a_run_is_scaled(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    text = subheading(only_row(tmp_path, resnet20))

    assert text == "scaled run: 18 of 180 epochs, not comparable with the published one"


def test_the_title_names_synthetic_data(tmp_path, synthetic, make_run):
    make_run(tmp_path, synthetic, accuracies=[0.9], name="demo")

    text = heading(only_row(tmp_path, synthetic, "demo"))

    assert text == "demo: ResNet-20, neon, on synthetic10 (synthetic, not CIFAR)"


def test_pictures_of_unchanged_runs_have_the_same_bytes_and_no_date(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.91])
    row = only_row(tmp_path, resnet20)

    first, second = curve_pictures([row]), curve_pictures([row])

    assert sorted(first) == ["resnet20.png", "resnet20.svg"]
    assert first == second
    assert b"<dc:date>" not in first["resnet20.svg"]
    assert first["resnet20.png"].startswith(b"\x89PNG")


def test_a_published_file_that_is_gone_leaves_ours(tmp_path, resnet20, make_run, caplog):
    overrides = ["reference.curve.file=gone.csv"]
    recipe = load_recipe(recipes_folder() / "resnet20.yaml", overrides)
    make_run(tmp_path, recipe, accuracies=[0.91], name="mine")

    lines = series(only_row(tmp_path, recipe, "mine"))

    assert (lines.published, len(lines.test)) == ([], 1)
    assert caplog.messages == [
        "the curves of 'mine' are drawn alone: "
        "published curve 'gone.csv': No such file or directory"
    ]


def test_a_run_of_one_epoch_is_drawn(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.5], budget="0.005")

    pictures = curve_pictures([only_row(tmp_path, resnet20)])

    assert sorted(pictures) == ["resnet20-budget-0.005.png", "resnet20-budget-0.005.svg"]


def test_only_a_reports_own_stale_pictures_are_removed(tmp_path, resnet20, make_run):
    out = tmp_path / "reports"
    make_run(tmp_path / "runs", resnet20, accuracies=[0.91], name="gone")
    write_report([("resnet20", resnet20)], [tmp_path / "runs"], out)
    (out / "curves" / "mine.svg").write_text("<svg/>")
    (out / "curves" / "gone.svg").rename(out / "gone.svg")

    paths = write_report([("resnet20", resnet20)], [], out)

    assert paths == [out / "comparison.md", out / "comparison.csv"]
    assert [path.name for path in (out / "curves").iterdir()] == ["mine.svg"]
    assert (out / "gone.svg").exists()


def test_without_runs_matplotlib_is_not_imported(tmp_path):
    code = (
        "import sys; from pathlib import Path; from cifar_keras.report import write_report; "
        f"write_report([], [], Path({str(tmp_path)!r})); "
        "print([name for name in ('matplotlib', 'tensorflow', 'keras') if name in sys.modules])"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (answer.stdout, answer.stderr) == ("[]\n", "")

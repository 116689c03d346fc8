import json

import pytest

from cifar_keras.records import HISTORY, RESULT, RUN, read_history, write_history
from cifar_keras.report import write_report
from cifar_keras.report.comparison import comparison
from cifar_keras.report.curves import curve_figures
from cifar_keras.report.results import collect
from cifar_keras.report.series import series
from cifar_keras.report.verdict import verdict


@pytest.fixture
def begin(make_run):
    """Write a run of resnet20 that is stopped after so many epochs; its folder."""

    def begin(root, recipe, epochs, **given):
        folder = make_run(root, recipe, accuracies=[0.91], **given)
        (folder / RESULT).unlink()
        if epochs:
            write_history(folder, read_history(folder)[:epochs])
        else:
            (folder / HISTORY).unlink()
        return folder

    return begin


def rows_of(recipe, *roots):
    return collect([("resnet20", recipe)], roots).rows


def test_an_unfinished_run_is_in_its_row_with_its_epoch_and_has_no_verdict(
    tmp_path, resnet20, begin
):
    begin(tmp_path, resnet20, 90)

    [row] = rows_of(resnet20, tmp_path)

    [run] = row.unfinished
    assert (run.run.seed, run.epochs, run.accuracy) == (1, "90 of 180", pytest.approx(45.75, abs=1))
    assert (row.runs.empty, row.hardware) == (True, "—")
    assert (verdict(row).text, verdict(row).difference) == ("no verdict: unfinished", None)


def test_an_unfinished_run_enters_no_figure_of_the_finished(tmp_path, resnet20, make_run, begin):
    make_run(tmp_path, resnet20, accuracies=[0.915], seed=1)
    [before] = rows_of(resnet20, tmp_path)
    begin(tmp_path, resnet20, 170, seed=2)
    [row] = rows_of(resnet20, tmp_path)

    assert len(row.unfinished) == 1
    assert comparison([row]).equals(comparison([before]))
    assert verdict(row) == verdict(before)
    assert series(row).test.equals(series(before).test)


def test_its_curve_is_in_the_figure_of_its_row(tmp_path, resnet20, begin):
    begin(tmp_path, resnet20, 90)
    [row] = rows_of(resnet20, tmp_path)

    whole, _ = curve_figures([row])["resnet20"].axes

    ends = sorted(line.get_xdata()[-1] for line in whole.lines if len(line.get_xdata()) > 2)
    assert ends == [90, 180]


def test_a_run_before_its_first_test_has_no_curve(tmp_path, resnet20, begin):
    begin(tmp_path, resnet20, 0)
    [row] = rows_of(resnet20, tmp_path)

    assert [(run.epochs, run.accuracy) for run in row.unfinished] == [("0 of 180", None)]
    assert "resnet20" not in curve_figures([row])


def test_an_unfinished_scaled_run_is_in_no_table_of_figures(tmp_path, resnet20, begin):
    begin(tmp_path, resnet20, 1, budget="0.1")
    full, scaled = rows_of(resnet20, tmp_path)

    assert (full.unfinished, full.counts) == ((), True)
    assert ([run.epochs for run in scaled.unfinished], scaled.counts) == (["1 of 18"], False)
    assert list(comparison([full, scaled])["kind"]) == ["full"]
    assert series(scaled).unfinished[0].index[0] == pytest.approx(1 / 18)
    assert "resnet20-budget-0.1" in curve_figures([scaled])


def test_the_pages_name_it(tmp_path, resnet20, begin):
    begin(tmp_path / "runs", resnet20, 7)
    begin(tmp_path / "runs", resnet20, 1, budget="0.1", seed=3)

    write_report([("resnet20", resnet20)], [tmp_path / "runs"], tmp_path / "out")

    for page in ("comparison.md", "system_c.md"):
        text = (tmp_path / "out" / page).read_text()
        _, _, table = text.partition("## Unfinished runs")
        epochs = [row.split("|")[5].strip() for row in table.splitlines() if "seed-" in row]
        assert epochs == ["7 of 180", "1 of 18"]
        assert "## Scaled or modified runs" not in text
    page = (tmp_path / "out" / "index.html").read_text()
    assert "seed 1: epoch 7 of 180" in page
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert {chart["id"]: chart["unfinished"][0]["epoch"] for chart in data} == {
        "resnet20": "7 of 180",
        "resnet20-budget-0.1": "1 of 18",
    }


@pytest.mark.parametrize(
    ("started", "shown"), [("2026-01-01", []), ("2026-01-02", []), ("2026-01-03", ["90 of 180"])]
)
def test_a_finished_run_that_began_no_earlier_takes_its_place(
    tmp_path, resnet20, make_run, begin, started, shown
):
    begin(tmp_path / "a", resnet20, 90, started=f"{started}T00:00:00+00:00")
    make_run(tmp_path / "b", resnet20, accuracies=[0.9], started="2026-01-02T00:00:00+00:00")

    [row] = rows_of(resnet20, tmp_path / "a", tmp_path / "b")

    assert len(row.runs) == 1
    assert [run.epochs for run in row.unfinished] == shown


def test_of_two_copies_that_of_the_later_root_is_shown(tmp_path, resnet20, begin):
    begin(tmp_path / "a", resnet20, 90)
    begin(tmp_path / "b", resnet20, 80)

    [row] = rows_of(resnet20, tmp_path / "a", tmp_path / "b")

    assert [run.epochs for run in row.unfinished] == ["80 of 180"]


def test_a_damaged_one_is_left_out_with_its_reason(tmp_path, resnet20, begin):
    (begin(tmp_path, resnet20, 90) / RUN).write_text("{")

    results = collect([("resnet20", resnet20)], [tmp_path])

    assert results.rows[0].unfinished == ()
    [left_out] = results.left_out
    assert left_out.name == "resnet20/seed-1"
    assert left_out.reason.startswith("'resnet20/seed-1/run.json' is damaged")

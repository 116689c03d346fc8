import pytest

from cifar_keras.errors import RunError
from cifar_keras.report import write_report
from cifar_keras.report.marked import marks, with_written
from cifar_keras.report.readme import full_name, results
from cifar_keras.report.results import collect

BEGIN, END = marks("results")
README = f"before\n{BEGIN}\nold\n{END}\nafter\n"


def with_results(readme, rows):
    return with_written("README.md", readme, "results", results(rows))


def test_only_what_stands_between_the_markers_is_written(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.9171])

    text = with_results(README, collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert text.startswith(f"before\n{BEGIN}\n| recipe ")
    assert "](reports/curves/resnet20.svg)\n" in text
    assert text.endswith(f"\n{END}\nafter\n")
    row = "| ResNet-20, neon (`resnet20`) on CIFAR-10 |        91.71 | 91.71 (1) | one run, in its"
    assert f"\n{row} band |\n" in text
    assert "old" not in text


def test_a_run_with_a_published_curve_behind_it_is_the_picture(tmp_path, resnet20, make_run):
    other = resnet20.model_copy(
        update={"reference": resnet20.reference.model_copy(update={"curve": None})}
    )
    for seed in (1, 2):
        make_run(tmp_path, other, accuracies=[0.92], name="other", seed=seed)
    make_run(tmp_path, resnet20, accuracies=[0.92])

    rows = collect([("other", other), ("resnet20", resnet20)], [tmp_path]).rows

    assert "](reports/curves/resnet20.svg)" in with_results(README, rows)


def test_written_twice_it_is_the_same(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.9171])
    rows = collect([("resnet20", resnet20)], [tmp_path]).rows

    once = with_results(README, rows)

    assert with_results(once, rows) == once


def test_recipes_that_were_not_run_are_no_results(tmp_path, resnet20):
    text = with_results(README, collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert f"{BEGIN}\n0 of 1 recipes have full runs so far. " in text
    assert "| recipe" not in text
    assert "![" not in text


def test_scaled_runs_are_no_results(tmp_path, resnet20, make_run):
    make_run(tmp_path, resnet20, accuracies=[0.86], budget="0.1")

    text = with_results(README, collect([("resnet20", resnet20)], [tmp_path]).rows)

    assert "86.00" not in text
    assert "budget" not in text


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("CIFAR-100 run", "CIFAR-100 run (`resnet20`) on CIFAR-10"),
        ("A run on CIFAR-10", "A run on CIFAR-10 (`resnet20`)"),
        ("resnet20", "`resnet20` on CIFAR-10"),
    ],
)
def test_a_recipe_is_named_in_full_with_its_data_set(tmp_path, resnet20, title, shown):
    recipe = resnet20.model_copy(update={"title": title})

    [row] = collect([("resnet20", recipe)], [tmp_path]).rows

    assert full_name(row) == shown


@pytest.mark.parametrize("readme", ["", BEGIN, END + BEGIN, README + README])
def test_a_readme_without_its_markers_is_refused(readme):
    with pytest.raises(RunError, match=r"^README\.md needs a line '<!-- results: "):
        with_results(readme, [])


def test_a_report_that_is_not_published_leaves_the_readme_alone(tmp_path, resnet20):
    (tmp_path / "README.md").write_text(README)

    write_report([("resnet20", resnet20)], [], tmp_path / "reports")

    assert (tmp_path / "README.md").read_text() == README

from pathlib import Path

import pytest

from benchmarks import results as files
from benchmarks.__main__ import write
from benchmarks.chart import pictures
from benchmarks.machine import disturbance
from benchmarks.table import page

REPORTS = Path(__file__).resolve().parents[2] / "reports"


def test_the_table_has_a_row_for_each_contender_and_names_the_failed(results):
    text = page(results)

    assert (
        "| ours | float32 | 640 (320 to 1,280) | — | 7.84 (3.92 to 15.7) | 1,234 | 12.5 |" in text
    )
    assert (
        "| stock Keras, as installed | float32 | 320 (320 to 427) | 2.00 (1.00 to 3.00) |" in text
    )
    assert "| PyTorch, channels last: failed, its environment is missing | float32 | — |" in text
    assert "TensorFlow with oneDNN 2,000 at 2,048; the limit is 8,170 images/s." in text


def test_a_contender_is_compared_with_ours_in_its_precision(mixed):
    text = page(mixed)

    assert "| ours | bfloat16 | 1,280 (640 to 2,560) | — | 3.92 (1.96 to 7.84) | 617 |" in text
    assert "| PyTorch, channels last | bfloat16 | 640 (320 to 1,280) | 2.00 (1.00 to 4.00)" in text
    assert "PyTorch 8,000 at 4,096; the limit is 32,700" in text


def test_a_warning_below_the_table_says_that_the_machine_was_not_idle(mixed):
    warning = disturbance({"busy_before": 50.0})
    before, _, after = page(mixed).partition(warning)

    assert before.rstrip().endswith("| 1,234 | 12.5 |")
    assert "## Evaluation" in after
    assert "| 0.250 | 50 % |" in after


def test_the_page_has_evaluation_growth_and_start_up(results):
    text = page(results)

    assert "| `resnet20`, ours | float32 | — | 64,000 (64,000 to 64,000) | 0.500 |" in text
    assert "| 20 | 0.781 | 1,280 | 1,234 |" in text
    assert "| 110 | — | — | — |" in text
    assert "| `cifar-keras --help` | 0.200 (0.100 to 0.400) |" in text
    assert "| `resnet20`, ours: to the end of the first step | 9.00 |" in text


def test_the_page_says_where_and_when_it_was_measured(results):
    text = page(results)

    assert "| training: resnet20 | 2026-01-02 03:04 | 3 | Example CPU, 2 cores, 8.0 GiB" in text
    assert "Versions: keras 3.0." in text


def test_a_page_without_results_has_its_goals():
    assert page({}).count("| — | — |") == 43


def test_the_same_results_give_the_same_pictures(mixed):
    first = pictures(mixed)

    assert first == pictures(mixed)
    assert first["benchmarks.png"].startswith(b"\x89PNG")


def test_new_results_are_merged_with_those_of_the_folder(tmp_path, results):
    growth = results.pop("growth")

    write(tmp_path, results)
    write(tmp_path, {"growth": growth})

    assert files.read(tmp_path / "benchmarks.json") == {**results, "growth": growth}
    assert "## Cost as depth and batch grow" in (tmp_path / "benchmarks.md").read_text()


@pytest.mark.skipif(not (REPORTS / "benchmarks.json").exists(), reason="never measured")
def test_the_committed_report_is_what_its_results_give_today():
    results = files.read(REPORTS / "benchmarks.json")

    assert (REPORTS / "benchmarks.md").read_text() == page(results)
    assert (REPORTS / "benchmarks.svg").read_bytes() == pictures(results)["benchmarks.svg"]

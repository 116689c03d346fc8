from pathlib import Path

import pytest

from benchmarks.families import FAMILIES
from benchmarks.measures import Bench, start_up, training


def chosen(family, patterns):
    return [each.name for each in Bench(1, patterns, None, Path()).chosen(FAMILIES[family])]


def test_without_patterns_the_extra_contenders_are_left_out():
    assert chosen("resnet20", None) == [
        "ours",
        "ours-bf16",
        "keras",
        "torch",
        "torch-compiled",
        "torch-bf16",
        "torch-bf16-compiled",
    ]


def test_patterns_choose_among_all_contenders_of_a_family():
    assert chosen("resnet20", ["ours", "*-nchw*"]) == ["ours", "torch-nchw", "torch-nchw-compiled"]
    assert "mxnet" not in chosen("resnet20", ["*"])
    assert "mxnet" in chosen("inception_rrelu", ["*"])


def test_matrix_products_are_measured_in_the_precisions_of_the_contenders(monkeypatch):
    asked = {}

    def alternate(starts, cases, repeats, scratch):
        asked.update(cases)
        return {}

    monkeypatch.setattr("benchmarks.measures.run_facts", lambda repeats: {})
    monkeypatch.setattr("benchmarks.measures.alternate", alternate)
    monkeypatch.setattr(Bench, "arrays_of", lambda self, dataset: Path())

    training(Bench(1, ["ours-bf16"], None, Path()), FAMILIES["resnet20"])

    assert asked == {
        "ours-bf16": ["train", "evaluate", "pipeline", "checkpoint"],
        "gemm-tensorflow-bf16": ["gemm@1024", "gemm", "gemm@4096"],
        "gemm-torch-bf16": ["gemm@1024", "gemm", "gemm@4096"],
    }


@pytest.mark.parametrize(("busy", "lines"), [(3.0, 0), (49.6, 1)])
def test_a_busy_machine_gives_a_warning(monkeypatch, capsys, results, busy, lines):
    run = results["start_up"]["commands"]["run"] | {"busy_before": busy}
    monkeypatch.setattr("benchmarks.measures.run_facts", lambda repeats: run)
    monkeypatch.setattr("benchmarks.measures.start_up_seconds", lambda repeats, scratch: {})

    part = start_up(Bench(1, None, None, Path()))

    assert part == {"start_up": {"commands": {"run": run, "seconds": {}}}}
    assert len(capsys.readouterr().err.splitlines()) == lines

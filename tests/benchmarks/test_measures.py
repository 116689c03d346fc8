from pathlib import Path

from benchmarks.families import FAMILIES
from benchmarks.measures import Bench


def chosen(family, patterns):
    return [each.name for each in Bench(1, patterns, None, Path()).chosen(FAMILIES[family])]


def test_without_patterns_the_extra_contenders_are_left_out():
    assert chosen("resnet20", None) == [
        "ours",
        "ours-bf16",
        "keras",
        "keras-bf16",
        "torch",
        "torch-compiled",
        "torch-bf16",
        "torch-bf16-compiled",
    ]


def test_patterns_choose_among_all_contenders_of_a_family():
    assert chosen("resnet20", ["ours", "*-nchw*"]) == ["ours", "torch-nchw", "torch-nchw-compiled"]
    assert "mxnet" not in chosen("resnet20", ["*"])
    assert "mxnet" in chosen("inception_rrelu", ["*"])

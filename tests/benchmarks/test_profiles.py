import json

import pytest

from benchmarks.families import Family
from benchmarks.profiles import STEPS, page, plain, primitives, profile, section_key

LOG = """onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32,,,16x3,9.0
profile begins
onednn_verbose,v1,info,cpu,isa:Intel AVX2
onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,backward_weights,src:f32,,,mb2,2.5
onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,backward_weights,src:f32,,,mb2,7.5
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32,,,16x3,1.0
profile ends
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:f32,,,16x3,9.0
"""


def test_primitives_are_read_between_the_marks():
    found = primitives(LOG)

    assert [(each["kind"], each["implementation"]) for each in found] == [
        ("convolution backward weights", "jit:avx2"),
        ("reorder", "jit:uni"),
    ]
    assert [each["milliseconds"] for each in found] == [10 / STEPS, 1 / STEPS]
    assert [each["calls"] for each in found] == [2 / STEPS, 1 / STEPS]


def test_operations_renamed_by_onednn_are_recognized():
    names = ["_MklNativeConv2D", "_FusedConv2D", "_MklNativeFusedBatchNormEx", "_MklMatMul", "Relu"]

    assert [*map(plain, names)] == ["Conv2D", "Conv2D", "FusedBatchNormV3", "MatMul", "Relu"]


def test_each_precision_has_its_own_section():
    figures = {
        "seconds": 0.5,
        "operations": [{"operation": "Conv2D", "milliseconds": 9.0, "calls": 1, "bytes": 0}],
        "primitives": [],
        "hardware": {"cpu": "Example CPU", "cores": 2},
        "versions": {"tensorflow": "2.0"},
    }
    keys = [section_key("resnet20", 32), section_key("resnet20", 32, "mixed_bfloat16")]

    text = page({key: figures for key in keys})

    assert keys[0] == "resnet20 32"
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## `resnet20`, 32 pixels",
        "## `resnet20`, 32 pixels, mixed_bfloat16",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_step_is_profiled_by_operation(precision):
    demo = Family("demo", "synthetic10", 10, 64, 0, 32, {32: 1})

    figures = json.loads(json.dumps(profile(demo, 32, None, precision)))

    (forward,) = (e for e in figures["operations"] if plain(e["operation"]) == "Conv2D")
    assert forward["calls"] >= 1
    assert forward["milliseconds"] > 0
    # At least the input images, with four or two bytes per value.
    assert forward["bytes"] > 64 * 32 * 32 * 3 * (4 if precision == "float32" else 2)
    assert figures["seconds"] > 0
    text = page({"demo 32": figures | {"primitives": primitives(LOG)}})
    assert "## `demo`, 32 pixels" in text
    assert "| convolution backward weights | `jit:avx2` | 2.0 | 0.4 |" in text

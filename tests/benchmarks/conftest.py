import pytest

RUN = {
    "cpu": "Example CPU",
    "cores": 2,
    "memory_gib": 8.0,
    "flags": ["avx2", "fma"],
    "load_before": 0.25,
    "git": {"revision": "0123456789abcdef", "dirty": False},
    "when": "2026-01-02T03:04:05+00:00",
    "repeats": 3,
}


def measured(seconds, steps=10, peak_mib=1234, **cases):
    """Return a contender's results: `steps` training steps in each of these seconds."""
    return {
        "versions": {"keras": "3.0"},
        "first_step": 12.5,
        "peak_mib": peak_mib,
        "cases": {"train": [[steps, each] for each in seconds], **cases},
    }


@pytest.fixture
def results():
    """Return results: ResNet-20 at 640, 1280 and 320 images/s, with a limit of 2000 GFLOP/s."""
    gemm = {"versions": {}, "first_step": 1.0, "peak_mib": 1}
    trained = {
        "run": RUN,
        "batch_size": 128,
        "contenders": {
            "ours": measured([2.0, 1.0, 4.0], pipeline=[[500, 1.0]] * 3, checkpoint=[[2, 1.0]]),
            "keras": measured([4.0, 3.0, 4.0]),
            "torch": {"failed": "its environment is missing"},
        },
        "gemm": {"gemm-tensorflow": gemm | {"cases": {"gemm": [[1000, 8.589934592]]}}},
    }
    seconds = {"--help": [0.1, 0.2, 0.4], "report (30 runs)": [3.0, 3.5, 2.0]}
    return {
        "training": {"resnet20": trained},
        "start_up": {"commands": {"run": RUN, "seconds": seconds}},
        "first_step": {"resnet20": {"run": RUN, "seconds": {"ours": [9.0], "keras": []}}},
        "growth": {
            "depth": {
                "run": RUN,
                "contenders": {
                    "20": measured([1.0]) | {"batch_size": 128},
                    "110": {"failed": "out of memory", "batch_size": 128},
                },
            }
        },
    }


@pytest.fixture
def mixed(results):
    """Return the same with bfloat16: ours twice as fast, PyTorch at 640, compiled at 320.

    The limit is 4000 GFLOP/s at a side of 2048 and 8000 at 4096. Other jobs took half of the
    machine.
    """
    part = results["training"]["resnet20"]
    part["run"] = RUN | {"busy_before": 49.6}
    part["contenders"] |= {
        "ours-bf16": measured([1.0, 0.5, 2.0], peak_mib=617),
        "torch-bf16": measured([1.0, 2.0, 4.0]),
        "torch-bf16-compiled": measured([4.0, 4.0, 1.0]),
    }
    gemm = {"versions": {}, "first_step": 1.0, "peak_mib": 1}
    products = {"gemm": [[2000, 8.589934592]], "gemm@4096": [[500, 8.589934592]]}
    part["gemm"]["gemm-torch-bf16"] = gemm | {"cases": products}
    return results

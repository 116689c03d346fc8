"""Training computes what version 1.0.0 computed, to the bit."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("frozen.py")
VERSIONS = {"tensorflow": "2.21.0", "keras": "3.15.1"}
# Vendor, family and model of the processors on which these bits were found. All compute with AVX2
# (see frozen.py), but oneDNN also sizes its blocks by the caches.
PROCESSORS = {("GenuineIntel", "6", "167"), ("GenuineIntel", "6", "207")}
# Hashes of each family's weights after a few steps, as version 1.0.0 leaves them.
FROZEN = {
    "airbench": "1cf6e53fdb9028e2",
    "dsn": "27eca5a3e2081398",
    "highway": "59a0b63ea221a732",
    "inception": "a3ac89b03ae810a9",
    "muon": "c812371914d348ae",
    "nin": "f8b648e1384dfa91",
    "resnet_he": "4ab150b44f87d060",
    "resnet_mxnet": "3a3018d72f2c79dc",
    "resnet_neon": "0baacf9adce8a9bb",
    "resnext_cifar": "573ae84482f14285",
    "resnext_imagenet": "2756e4ca5ce0e098",
    "speedrun": "6f63bd27dbf9e0a7",
    "vgg": "02f243d3972a02cb",
}


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    facts = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    return tuple(facts.get(name) for name in ("vendor_id", "cpu family", "model"))


def test_a_few_steps_of_every_family_give_the_bits_of_version_1(tmp_path):
    if processor() not in PROCESSORS:
        pytest.skip(f"its bits were recorded on {sorted(PROCESSORS)}, not on {processor()}")
    installed = {package: version(package) for package in VERSIONS}
    if installed != VERSIONS:
        pytest.skip(f"its bits were recorded with {VERSIONS}, not with {installed}")
    command = [sys.executable, str(SCRIPT), str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    # Run folders are printed before the hashes.
    assert json.loads(done.stdout[done.stdout.index("{") :]) == FROZEN

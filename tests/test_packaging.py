import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_lowest_versions_that_are_tried_are_those_that_setup_cfg_allows():
    setup = _setup()
    asked = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
    bounds = dict(re.findall(r"^([\w-]+) >= ([\w.]+)", asked, re.MULTILINE))
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", _lowest(), re.MULTILINE))

    assert pins.keys() >= {"tensorflow", "keras"}
    for package, pin in pins.items():
        bound = {name.lower(): each for name, each in bounds.items()}[package.lower()]
        assert _padded(pin) == _padded(bound), package


def test_every_folder_of_code_is_in_the_wheel():
    # An installation from the checkout finds the others, too: only the wheel would lack them.
    options = _setup()["options"]
    from_elsewhere = {line.split(" = ")[0] for line in options["package_dir"].split("\n") if line}
    of_code = {
        ".".join(code.parent.relative_to(ROOT).parts)
        for code in (ROOT / "cifar_keras").rglob("*.py")
    }

    assert set(options["packages"].split()) == of_code | from_elsewhere


def _setup():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def _lowest():
    return (ROOT / "constraints-lowest.txt").read_text()


def _padded(version):
    return [*map(int, version.split(".")), 0, 0][:3]

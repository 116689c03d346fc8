import json
import subprocess
from pathlib import Path

import pytest

import cifar_keras
from cifar_keras import hardware, provenance


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Let the package seem to run from a committed checkout."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("cifar_keras/provenance.py", "reports/comparison.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("as committed\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "cifar_keras" / "provenance.py"))
    return tmp_path


def head(folder):
    return (folder / ".git" / "refs" / "heads").glob("*").__next__().read_text().strip()


def test_a_clean_checkout_is_its_revision(checkout):
    assert provenance.git_state() == {"revision": head(checkout), "dirty": False}


def test_a_changed_file_makes_it_dirty(checkout):
    (checkout / "cifar_keras" / "provenance.py").write_text("changed\n")

    assert provenance.git_state() == {"revision": head(checkout), "dirty": True}


def test_a_staged_file_makes_it_dirty(checkout):
    (checkout / "new.py").write_text("new\n")
    git(checkout, "add", "new.py")

    assert provenance.git_state()["dirty"] is True


def test_reports_and_files_unknown_to_git_do_not_make_it_dirty(checkout):
    (checkout / "reports" / "comparison.md").write_text("written anew\n")
    (checkout / "notes.txt").write_text("mine\n")

    assert provenance.git_state()["dirty"] is False


def test_a_package_installed_inside_of_another_repository_has_no_revision(checkout, monkeypatch):
    installed = checkout / "venv" / "site-packages" / "cifar_keras" / "provenance.py"
    installed.parent.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(installed))

    assert provenance.git_state() == {"revision": None, "dirty": None}


def test_without_git_there_is_no_revision(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert provenance.git_state() == {"revision": None, "dirty": None}


def test_a_status_that_git_cannot_tell_is_not_called_clean(checkout, monkeypatch):
    real = subprocess.run

    def run(command, **arguments):
        if "status" in command:
            raise subprocess.TimeoutExpired(command, 20)
        return real(command, **arguments)

    monkeypatch.setattr(subprocess, "run", run)

    assert provenance.git_state() == {"revision": head(checkout), "dirty": None}


def test_versions_are_those_that_figures_depend_on():
    versions = provenance.versions()

    assert list(versions) == ["cifar_keras", "tensorflow", "keras", "numpy"]
    assert int(versions["keras"].split(".")[0]) >= 3


def test_this_packages_version_is_its_codes_and_not_what_pip_noted_earlier(monkeypatch):
    monkeypatch.setattr(provenance, "version", lambda package: "0.0.1")

    versions = provenance.versions()

    assert versions.pop("cifar_keras") == cifar_keras.__version__ != "0.0.1"
    assert set(versions.values()) == {"0.0.1"}


def test_a_package_that_is_not_there_is_said_to_be_so(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))

    own = {"cifar_keras": cifar_keras.__version__}
    assert provenance.versions() == {**own, "no-such-package": "not installed"}


def test_hardware_names_processor_cores_memory_and_the_gpus_in_use():
    found = hardware.hardware(["CPU:0", "Example GPU"])

    assert list(found) == ["cpu", "cores", "memory_gib", "gpus"]
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0
    assert found["gpus"] == ["Example GPU"]


@pytest.mark.parametrize("on", [True, False])
def test_onednn_is_recorded_as_tensorflow_uses_it(monkeypatch, on):
    # TensorFlow reads the variable when it is imported; a later value has no effect.
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0" if on else "1")
    monkeypatch.setattr("cifar_keras.private.uses_onednn", lambda: on)

    assert provenance.provenance({}, ["CPU:0"])["onednn"] is on
    assert provenance.machine(["CPU:0"], jit=False)["onednn"] is on


def test_machine_is_what_decides_rounding():
    facts = provenance.machine(["CPU:0", "CPU:1"], jit=True)

    assert list(facts) == ["cpu", "cores", "gpus", "instructions", "onednn", "replicas", "jit"]
    assert facts["jit"] is True
    assert facts["replicas"] == 2


@pytest.mark.parametrize(
    ("cpuinfo", "found"),
    [
        (
            "processor : 0\nflags\t\t: fpu amx_bf16 avx2 amx_int8\nflags : avx512f\n",
            ["avx2", "amx_bf16"],
        ),
        ("processor : 0\nFeatures : fp asimd bf16\n", ["bf16"]),
        ("", []),
    ],
)
def test_instructions_are_those_of_the_first_processor(cpuinfo, found):
    assert hardware.instructions(cpuinfo) == found


def test_the_record_is_plain_data_without_paths_of_this_machine():
    record = provenance.provenance({"name": "cifar10"}, ["CPU:0"])

    text = json.dumps(record)
    assert record["data"] == {"name": "cifar10"}
    assert record["devices"] == ["CPU:0"]
    assert set(record["versions"]) == {"python", "cifar_keras", "tensorflow", "keras", "numpy"}
    assert str(Path.home()) not in text
    assert str(Path(provenance.__file__).parent) not in text

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_keras.cli.parser import parse
from cifar_keras.records import find_runs

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]


def test_the_readme_has_commands():
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("cifar-keras ")])
def test_every_command_of_the_readme_is_understood(line):
    assert parse(shlex.split(line)[1:])


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_every_make_target_of_the_readme_exists(line):
    target = shlex.split(line)[1]

    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_the_list_of_recipes_names_every_recipe_and_no_other():
    page = (ROOT / "reports" / "recipes.md").read_text()
    named = re.findall(r"^\| \[`(\w+)`\]", page, flags=re.MULTILINE)

    assert sorted(named) == sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("page", ["README.md", "reports/recipes.md", "reports/comparison.md"])
def test_every_link_leads_to_a_file(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)

    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_readme_begins_with_three_lines_to_start():
    start = README[: README.index("## Results")]

    assert "\nmake demo\nmake test\n" in start
    assert COMMANDS[0].startswith("git clone ")


def tracked():
    """The paths of the checkout's files in git."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def clone(tmp_path):
    """The checkout's files in a folder of their own."""
    for name in tracked():
        copy = tmp_path / "clone" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    return tmp_path / "clone"


def test_a_report_changes_no_tracked_file(clone):
    run = Path("resnet20", "seed-1-budget-0.1")
    shutil.copytree(clone / "reports" / "runs" / run, clone / "runs" / run)

    done = subprocess.run(
        [sys.executable, "-m", "cifar_keras", "report"],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "runs/report/index.html" in done.stdout.splitlines()
    text = (clone / "runs" / "report" / "comparison.md").read_text()
    assert "| resnet20 (committed) " in text
    assert "| resnet20 " in text[text.index("## Scaled") :]
    assert find_runs([clone / "runs"]) == [clone / "runs" / run]
    assert [n for n in tracked() if (clone / n).read_bytes() != (ROOT / n).read_bytes()] == []
    ours = {"runs", "__pycache__"}
    new = {p.relative_to(clone) for p in clone.rglob("*") if p.is_file()} - {*map(Path, tracked())}
    assert [path for path in new if not ours & {*path.parts}] == []


def make(folder, *arguments):
    # The environment of these tests serves, as if `make install` had just made it.
    command = ["make", "--old-file", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_make_demo_makes_what_the_readme_says(clone):
    done = make(clone, "demo")

    assert done.returncode == 0, done.stderr
    report = clone / "demo" / "runs" / "report"
    table = (report / "comparison.md").read_text()
    row = next(line for line in table.splitlines() if line.startswith("| demo "))
    assert "synthetic" in row
    accuracy = float(re.search(r"test accuracy ([\d.]+) %", done.stdout)[1])
    assert accuracy > 90
    assert f"{accuracy:.2f}" in row
    assert (report / "index.html").exists()
    assert (report / "curves" / "demo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("target", "recipes"),
    [
        (["reproduce-cifar100"], "inception_rrelu"),
        (["reproduce-cifar100", "RECIPES=inception_relu vgg_bn"], "inception_relu,vgg_bn"),
        (["reproduce-cifar10"], "resnet20,resnet32,resnet56,resnet110"),
        (["reproduce-all"], f"$({sys.prefix}/bin/cifar-keras recipes --published)"),
        (["reproduce-all", "RECIPES=dsn"], "dsn"),
    ],
)
def test_make_reproduce_trains_in_one_queue_then_evaluates_and_reports(target, recipes):
    done = make(ROOT, *target, "--dry-run", "BUDGET=0.1", "TRAIN=--seeds 1,2")

    assert done.returncode == 0, done.stderr
    named = re.search(r'cifar-keras train --recipe "(.*)" --budget 0.1 ', done.stdout)[1]
    assert named == recipes
    assert "--seeds 1,2" in done.stdout
    assert 'cifar-keras evaluate "$folder"' in done.stdout
    assert "cifar-keras report " in done.stdout

import re
import subprocess
import sys
from typing import get_args

import pytest

from cifar_keras.cli import main, parser
from cifar_keras.data import DATASETS
from cifar_keras.recipe.schema import Precision

COMMANDS = {
    (): ["--version"],
    ("train",): [
        "--recipe",
        "--seed",
        "--seeds",
        "--budget",
        "--set",
        "--precision",
        "--jit",
        "--run-dir",
        "--data-dir",
        "--mirror",
        "--devices",
        "--workers",
        "--worker-index",
        "--checkpoint-every",
        "--test-every",
        "--no-test",
        "--fresh",
        "--tensorboard",
        "--mlflow",
    ],
    ("launch",): ["--local", "--log-dir", "train ..."],
    ("evaluate",): ["RUN", "--data-dir", "--mirror", "--tta", "--all-classes", "--trust-model"],
    ("predict",): ["RUN", "IMAGE", "--data-dir", "--mirror", "--trust-model"],
    ("export",): ["RUN", "--to", "--output", "--data-dir", "--mirror", "--trust-model"],
    ("verify",): ["RUN", "--all", "--run-dir", "--data-dir", "--mirror", "--trust-model"],
    ("compare",): ["RUN"],
    ("publish",): ["RUN", "--weights", "--output", "--data-dir", "--mirror", "--trust-model"],
    ("report",): ["--run-dir", "--output", "--publish"],
    ("runs",): ["--run-dir"],
    ("recipes",): ["show", "new", "--system", "--search", "--published", "--run-dir"],
    ("recipes", "show"): ["NAME|FILE", "--yaml", "--layers", "--set"],
    ("recipes", "new"): ["NAME", "--base"],
    ("data",): ["fetch", "verify", "show"],
    ("data", "fetch"): ["cifar10", "cifar100", "--data-dir", "--mirror", "--from"],
    ("data", "verify"): ["cifar10", "cifar100", "--data-dir"],
    ("data", "show"): ["synthetic100", "--data-dir", "--mirror", "--recipe", "--output", "--seed"],
    ("completion",): ["bash", "zsh", "fish"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_names_its_options(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])

    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert out.startswith(" ".join(["usage: cifar-keras", *command]))
    for option in COMMANDS[command]:
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", out), option


@pytest.mark.parametrize("command", [(), ("recipes",), ("data",)], ids=" ".join)
def test_no_command_is_left_out_here(capsys, command):
    with pytest.raises(SystemExit):
        main([*command, "--help"])

    named = re.findall(r"^    (\w+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    depth = len(command)
    assert named == [
        each[depth] for each in COMMANDS if each[:depth] == command and len(each) == depth + 1
    ]


def test_help_brings_in_nothing_heavy():
    code = (
        "import sys\nfrom cifar_keras.cli import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print({'tensorflow', 'keras', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("usage: cifar-keras train")
    assert done.stdout.splitlines()[-1] == "set()"


def test_without_a_command_the_help_is_printed(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])

    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    assert out.startswith("usage: cifar-keras")


@pytest.mark.parametrize("shell", parser.SHELLS)
def test_completion_names_commands_options_and_recipes(capsys, shell):
    assert main(["completion", shell]) == 0

    script = capsys.readouterr().out
    for word in ("train", "test-every", "resnet110_sgd_scratch"):
        assert word in script


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])

    assert stop.value.code == 0
    assert re.fullmatch(r"cifar_keras \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_data_sets_offered_are_those_there_are():
    assert parser.DATASETS == DATASETS


def test_the_precisions_offered_are_those_of_recipes():
    assert get_args(Precision) == parser.PRECISIONS


TRAIN = ("train", "--recipe", "demo")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trian",), "argument COMMAND: invalid choice: 'trian'; did you mean 'train'?"),
        (("train",), "the following arguments are required: --recipe"),
        ((*TRAIN, "--buget", "0.1"), "unknown argument '--buget'; did you mean '--budget'?"),
        ((*TRAIN, "--budg", "0.1"), "unknown argument '--budg'; did you mean '--budget'?"),
        ((*TRAIN, "more"), "unknown argument 'more'"),
        (
            (*TRAIN, "--jit", "yes"),
            "argument --jit: invalid choice: 'yes'; choose from: auto, on, off",
        ),
        (
            (*TRAIN, "--precision", "float16"),
            "argument --precision: invalid choice: 'float16'; did you mean 'float32'?",
        ),
        (
            (*TRAIN, "--precision", "mixed_float16", "--set", "precision=float32"),
            "--precision mixed_float16 contradicts --set precision=float32",
        ),
        (
            (
                *TRAIN,
                "--seeds",
                "1,2",
                "--precision",
                "float32",
                "--set",
                "precision=mixed_float16",
            ),
            "--precision float32 contradicts --set precision=mixed_float16",
        ),
        (
            (*TRAIN, "--budget", "0"),
            "argument --budget: '0' is not a positive number; write",
        ),
        ((*TRAIN, "--budget", "-1"), "argument --budget: '-1' is not a positive number; write"),
        (
            (*TRAIN, "--budget", "abc"),
            "argument --budget: 'abc' is not a positive number; write",
        ),
        (
            (*TRAIN, "--budget", "nan"),
            "argument --budget: 'nan' is not a positive number; write",
        ),
        (
            (*TRAIN, "--budget", "inf"),
            "argument --budget: 'inf' is not a positive number; write",
        ),
        ((*TRAIN, "--budget", "1e9"), "argument --budget: '1e9' must be between 0.000001 and 1000"),
        (
            (*TRAIN, "--budget", "1e-7"),
            "argument --budget: '1e-7' must be between 0.000001 and 1000",
        ),
        ((*TRAIN, "--budget"), "argument --budget: expected one argument"),
        (
            (*TRAIN, "--seed", "-1"),
            "argument --seed: '-1' is not a whole number from 0 to",
        ),
        ((*TRAIN, "--seed", "1.5"), "argument --seed: '1.5' is not a whole number from 0 to"),
        ((*TRAIN, "--seed", "one"), "argument --seed: 'one' is not a whole number from 0 to"),
        ((*TRAIN, "--seed", "²"), "argument --seed: '²' is not a whole number from 0 to"),
        (
            (*TRAIN, "--seed", str(2**31)),
            "argument --seed: '2147483648' is not a whole number",
        ),
        ((*TRAIN, "--seeds", "1,x"), "argument --seeds: 'x' is not a whole number from 0 to"),
        ((*TRAIN, "--seeds", "1,,2"), "argument --seeds: '' is not a whole number from 0 to"),
        (
            (*TRAIN, "--seed", "1", "--seeds", "1,2"),
            "argument --seeds: not allowed with argument --seed",
        ),
        *(
            (
                (*TRAIN, "--checkpoint-every", text),
                f"argument --checkpoint-every: '{text}' is neither a time nor a number of steps; "
                "write 10min or 500steps",
            )
            for text in ("0", "-1", "abc", "nan", "inf", "0steps", "1.5steps", "steps", "10h")
        ),
        (("evaluate",), "the following arguments are required: RUN"),
        (("recipes", "hide"), "argument ACTION: invalid choice: 'hide'; choose from: show, new"),
        (("data",), "the following arguments are required: ACTION"),
        (
            ("data", "fetch", "mnist"),
            "argument dataset: invalid choice: 'mnist'; choose from: cifar10, cifar100",
        ),
        (("data", "fetch", "synthetic10"), "argument dataset: invalid choice: 'synthetic10'"),
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_that_names_value_and_remedy(refused, here, arguments, told):
    code, line = refused(*arguments)

    prog, _, message = line.partition(": error: ")
    assert code == 2
    assert message.startswith(told)
    assert message.lower().endswith(f" see '{prog} --help'")
    assert not any(here.iterdir())


def test_the_help_that_misuse_points_to_is_the_commands_own(refused):
    assert refused("recipes", "show", "demo", "--sett", "x=1")[1] == (
        "cifar-keras recipes show: error: unknown argument '--sett'; did you mean '--set'? "
        "See 'cifar-keras recipes show --help'"
    )

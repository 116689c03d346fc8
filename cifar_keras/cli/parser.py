"""The options of all commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cifar_keras import __version__
from cifar_keras.cli import commands, recipes, values
from cifar_keras.cli.completion import completion
from cifar_keras.cli.evidence_options import (
    add_compare,
    add_export,
    add_predict,
    add_publish,
    add_verify,
)
from cifar_keras.cli.launch import launch
from cifar_keras.cli.options import (
    Commands,
    Parser,
    add,
    add_data_dir,
    add_run_dirs,
    add_set,
    add_trust,
)
from cifar_keras.cli.training import train

SHELLS = ("bash", "zsh", "fish")
# The same as data.DATASETS, whose module imports NumPy.
PUBLISHED = ("cifar10", "cifar100")
DATASETS = (*PUBLISHED, "synthetic10", "synthetic100")
# The same as in recipe.schema, which imports pydantic.
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options, with the `function` to call and the arguments as `argv`."""
    parser = make_parser()
    if not arguments:
        parser.print_help()
        parser.exit()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        from cifar_keras.recipe.wording import did_you_mean

        # argparse would refer to the help of cifar-keras, not of this command.
        hint = did_you_mean(unknown[0].partition("=")[0], options.parser.options)
        options.parser.error(f"unknown argument '{unknown[0]}'" + (f"; {hint}" if hint else ""))
    options.argv = list(arguments)
    return options


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="cifar-keras",
        description="Reproduce and verify published CIFAR-10 and CIFAR-100 results.",
    )
    parser.add_argument("--version", action="version", version=f"cifar_keras {__version__}")
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(actions)
    _add_launch(actions)
    _add_evaluate(actions)
    add_predict(actions)
    add_export(actions)
    add_verify(actions)
    add_compare(actions)
    add_publish(actions)
    _add_report(actions)
    _add_runs(actions)
    _add_recipes(actions)
    _add_data(actions)
    _add_completion(actions)
    return parser


def _add_train(actions: Commands[Parser]) -> None:
    text = "train a recipe, or resume an unfinished run"
    parser = add(actions, "train", text, train)
    parser.add_argument(
        "--recipe",
        type=values.recipes,
        required=True,
        metavar="NAME|FILE,...",
        help="recipes to train, one after another: names from 'cifar-keras recipes', or files",
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=values.seed, metavar="N", help="random seed (default: 1)")
    seeds.add_argument(
        "--seeds", type=values.seeds, metavar="N,N,...", help="train several seeds in sequence"
    )
    parser.add_argument(
        "--budget",
        type=values.budget,
        default="1",
        metavar="F",
        help="multiply the epochs and all schedule boundaries by F (default: 1); other runs are "
        "marked as scaled",
    )
    add_set(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="precision of the network's computation (default: the recipe's); each precision has "
        "its own run folders and report rows",
    )
    parser.add_argument(
        "--jit",
        choices=("auto", "on", "off"),
        default="auto",
        help="compile steps with XLA; auto (default): on a single GPU only",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder that holds the run folders (default: runs)",
    )
    add_data_dir(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="your copy of the pretrained weights that the recipe starts from (default: download)",
    )
    parser.add_argument(
        "--devices",
        default="auto",
        metavar="D",
        help="auto (default): all GPUs, else the CPU; or cpu, gpu:0,1; cpu:2 splits the CPU into "
        "two devices for tests",
    )
    parser.add_argument(
        "--workers",
        metavar="HOST:PORT,...",
        help="all machines that train this run together, the chief worker first (default: "
        "$TF_CONFIG)",
    )
    parser.add_argument(
        "--worker-index",
        type=values.index,
        metavar="I",
        help="index of this machine in --workers, from 0",
    )
    parser.add_argument(
        "--checkpoint-every",
        type=values.every,
        default={"seconds": 900.0},
        metavar="N[min]|Nsteps",
        help="also save a checkpoint every N minutes or steps within an epoch (default: 15min)",
    )
    tests = parser.add_mutually_exclusive_group()
    tests.add_argument(
        "--test-every",
        type=values.epochs,
        metavar="N",
        help="evaluate the test set every N epochs and after the last (default: every epoch)",
    )
    tests.add_argument(
        "--no-test",
        dest="test_every",
        action="store_const",
        const=0,
        help="evaluate the test set only after the last epoch",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start over; the folder of an earlier run is renamed, not deleted",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write the history for TensorBoard (needs the extra 'tensorboard')",
    )
    parser.add_argument(
        "--mlflow",
        action="store_true",
        help="also log the history to $MLFLOW_TRACKING_URI (needs the extra 'mlflow')",
    )


def _add_launch(actions: Commands[Parser]) -> None:
    text = "start several workers for one run on this machine, to try out distributed training"
    parser = add(actions, "launch", text, launch)
    parser.add_argument(
        "--local", type=values.several, required=True, metavar="N", help="number of workers"
    )
    parser.add_argument(
        "--log-dir",
        type=Path,
        metavar="DIR",
        help="folder of worker-0.log and the others (default: --run-dir, worker-logs/RECIPE/RUN)",
    )
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="train ...",
        help="the command of each worker",
    )


def _add_evaluate(actions: Commands[Parser]) -> None:
    parser = add(actions, "evaluate", "evaluate a run on the test set", commands.evaluate)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    add_data_dir(parser)
    add_trust(parser)
    parser.add_argument(
        "--tta",
        action="store_true",
        help="also evaluate with test-time augmentation (six views of each image), and write "
        "tta.json into the run folder",
    )
    parser.add_argument(
        "--all-classes",
        action="store_true",
        help="show the accuracy of every class, not only the ten worst",
    )


def _add_report(actions: Commands[Parser]) -> None:
    text = "compare runs with the published results: tables, curves and a page to open"
    parser = add(actions, "report", text, commands.report)
    add_run_dirs(parser, "folders of run folders (default: runs)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where the report goes (default: report in the first --run-dir)",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="for maintainers: write the checkout's reports/ and the results in README.md, "
        "from the runs in reports/runs only",
    )


def _add_runs(actions: Commands[Parser]) -> None:
    text = "list the run folders with their progress, accuracy and time left"
    parser = add(actions, "runs", text, commands.list_runs)
    add_run_dirs(parser, "folders of run folders (default: runs)")


def _add_recipes(actions: Commands[Parser]) -> None:
    parser = add(actions, "recipes", "list, show or create recipes", recipes.recipes)
    parser.add_argument(
        "--system", metavar="LETTER", help="list only the recipes of this system, e.g. A"
    )
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="list only recipes with this text in name or title",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="print only the names of recipes with a published result, shortest run first, in the "
        "form that 'train --recipe' takes",
    )
    add_run_dirs(parser, "folders of run folders to estimate times from (default: runs)")
    below = parser.add_subparsers(title="actions", metavar="ACTION")
    show = add(below, "show", "show what a recipe does", recipes.show_recipe)
    show.add_argument("name", metavar="NAME|FILE", help="a name from 'cifar-keras recipes'")
    form = show.add_mutually_exclusive_group()
    form.add_argument(
        "--yaml", action="store_true", help="print only the resolved recipe, every key of it"
    )
    form.add_argument(
        "--layers", action="store_true", help="also list the layers of the network (slower)"
    )
    add_set(show)
    new = add(below, "new", "write a recipe to start from", recipes.new_recipe)
    new.add_argument("name", metavar="NAME", help="writes NAME.yaml into the current folder")
    new.add_argument(
        "--base",
        default="resnet20",
        metavar="NAME|FILE",
        help="the recipe that the new one changes (default: resnet20)",
    )


def _add_data(actions: Commands[Parser]) -> None:
    parser = actions.add_parser("data", help="download, verify or show a data set")
    below = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "download a data set, or copy it from a file or folder, and check its hash"
    fetch = add(below, "fetch", text, commands.fetch_data)
    text = "report for each file whether it is the official one"
    verify = add(below, "verify", text, commands.verify_data)
    text = "write a sheet of sample images, plain and augmented"
    show = add(below, "show", text, commands.show_data)
    for action in (fetch, verify, show):
        choices = DATASETS if action is show else PUBLISHED
        action.add_argument("dataset", choices=choices, help="the data set")
        add_data_dir(action, downloads=action is not verify)
    fetch.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE|FOLDER",
        help="copy instead of downloading: from the archive, or a folder with it or its files",
    )
    show.add_argument(
        "--recipe",
        default="resnet20",
        metavar="NAME|FILE",
        help="its augmentation is shown (default: resnet20)",
    )
    show.add_argument(
        "--output",
        type=Path,
        default=Path("samples.png"),
        metavar="PNG",
        help="file to write (default: samples.png)",
    )
    show.add_argument(
        "--seed", type=values.seed, default=1, metavar="N", help="random seed (default: 1)"
    )


def _add_completion(actions: Commands[Parser]) -> None:
    text = "print a script that completes commands and options in a shell"
    parser = add(actions, "completion", text, completion)
    parser.add_argument("shell", choices=SHELLS, help="the shell")

"""The options of all commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cifar_keras import __version__
from cifar_keras.cli import commands, values
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

# As data.DATASETS, which would bring in NumPy.
PUBLISHED = ("cifar10", "cifar100")
DATASETS = (*PUBLISHED, "synthetic10", "synthetic100")
# As those of recipe.schema, which would bring in pydantic.
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with the `function` to call with them and the arguments as `argv`."""
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        # argparse itself would name the outermost command, whose help does not help.
        options.parser.error(f"unknown argument '{unknown[0]}'")
    options.argv = list(arguments)
    return options


def _parser() -> Parser:
    parser = Parser(
        prog="cifar-keras",
        description="Run again, check and compare the published results of CIFAR-10 and CIFAR-100.",
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
    return parser


def _add_train(actions: Commands[Parser]) -> None:
    text = "train a recipe and write its run folder, or go on with an unfinished one"
    parser = add(actions, "train", text, train)
    parser.add_argument(
        "--recipe",
        type=values.recipes,
        required=True,
        metavar="NAME|FILE,...",
        help="what 'cifar-keras recipes' lists; several are trained one after another",
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=values.seed, metavar="N", help="default: 1")
    seeds.add_argument("--seeds", type=values.seeds, metavar="N,N,...", help="one after another")
    parser.add_argument(
        "--budget",
        type=values.budget,
        default="1",
        metavar="F",
        help="scale the epochs and all boundaries by F; the run is marked as scaled",
    )
    add_set(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="what the network computes in (default: as the recipe says); a declared condition, "
        "not a change of the recipe: each precision has its own run folders and report rows",
    )
    parser.add_argument(
        "--jit",
        choices=("auto", "on", "off"),
        default="auto",
        help="compile steps with XLA; auto (default): on a single GPU alone",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="the folder of run folders (default: runs)",
    )
    add_data_dir(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="a copy of the published weights that the recipe begins with, else downloaded",
    )
    parser.add_argument(
        "--devices",
        default="auto",
        metavar="D",
        help="auto (default: all GPUs, else the CPU), cpu, gpu:0,1, or cpu:2 to try out two",
    )
    parser.add_argument(
        "--workers",
        metavar="HOST:PORT,...",
        help="all machines that train this run together, the chief first; else $TF_CONFIG",
    )
    parser.add_argument(
        "--worker-index", type=values.index, metavar="I", help="which of --workers this one is"
    )
    parser.add_argument(
        "--checkpoint-every",
        type=values.every,
        default={"seconds": 900.0},
        metavar="N[min]|Nsteps",
        help="save inside an epoch, too, after so many minutes (default: 15) or steps",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start over; an earlier run's folder is kept under another name",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also show the history in TensorBoard (the extra tensorboard)",
    )
    parser.add_argument(
        "--mlflow",
        action="store_true",
        help="also send the history to $MLFLOW_TRACKING_URI (the extra mlflow)",
    )


def _add_launch(actions: Commands[Parser]) -> None:
    text = "start several workers of one run on this machine, to try out what several would do"
    parser = add(actions, "launch", text, launch)
    parser.add_argument(
        "--local", type=values.several, required=True, metavar="N", help="how many workers"
    )
    parser.add_argument(
        "--log-dir",
        type=Path,
        metavar="DIR",
        help="where worker-0.log and the others go (default: worker-logs/RECIPE/RUN in --run-dir)",
    )
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="train ...", help="what the workers run"
    )


def _add_evaluate(actions: Commands[Parser]) -> None:
    parser = add(
        actions, "evaluate", "show all test images to a run's saved network", commands.evaluate
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    add_data_dir(parser)
    add_trust(parser)
    parser.add_argument(
        "--tta",
        action="store_true",
        help="also average six views of each image, and write tta.json into the run folder",
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
    text = "list the run folders: how far each is, its accuracy, its time left"
    parser = add(actions, "runs", text, commands.list_runs)
    add_run_dirs(parser, "folders of run folders (default: runs)")


def _add_recipes(actions: Commands[Parser]) -> None:
    parser = add(actions, "recipes", "list the recipes, or show one", commands.recipes)
    parser.add_argument(
        "--published",
        action="store_true",
        help="only the names of those with a published figure, the shortest run first, as "
        "'train --recipe' takes them",
    )
    below = parser.add_subparsers(title="actions", metavar="ACTION")
    show = add(below, "show", "show a recipe, its network and its rate", commands.show_recipe)
    show.add_argument("name", metavar="NAME|FILE", help="what 'cifar-keras recipes' lists")
    add_set(show)


def _add_data(actions: Commands[Parser]) -> None:
    parser = actions.add_parser("data", help="fetch, verify or show a data set")
    below = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "download a data set, or copy it from a file or folder; its hash is checked"
    fetch = add(below, "fetch", text, commands.fetch_data)
    text = "say of each file whether it is the official one"
    verify = add(below, "verify", text, commands.verify_data)
    text = "write a sheet of sample images, plain and augmented"
    show = add(below, "show", text, commands.show_data)
    for action in (fetch, verify, show):
        choices = DATASETS if action is show else PUBLISHED
        action.add_argument("dataset", choices=choices, help="which")
        add_data_dir(action, downloads=action is not verify)
    fetch.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE|FOLDER",
        help="copy from here instead: the archive, or a folder that holds it or its files",
    )
    show.add_argument(
        "--recipe", default="resnet20", metavar="NAME|FILE", help="whose augmentation"
    )
    show.add_argument("--output", type=Path, default=Path("samples.png"), metavar="PNG")
    show.add_argument("--seed", type=values.seed, default=1, metavar="N")

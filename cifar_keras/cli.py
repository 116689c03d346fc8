"""The commands: parse, call, print.

Nothing heavy is imported here at the top: TensorFlow only where a command trains or evaluates,
pydantic only where one reads a recipe. `--help` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from cifar_keras import __version__
from cifar_keras.errors import CifarKerasError
from cifar_keras.quiet import import_tensorflow

DATASETS = ("cifar10", "cifar100", "synthetic10", "synthetic100")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for what the user can mend, 2 for misuse."""
    logging.basicConfig(format="cifar-keras: %(levelname)s: %(message)s", level=logging.WARNING)
    logging.addLevelName(logging.WARNING, "warning")
    options = _parser().parse_args(arguments)
    options.argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(options.function(options) or 0)
    except CifarKerasError as error:
        for line in str(error).splitlines():
            print(f"cifar-keras: error: {line}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0


def _train(options: argparse.Namespace) -> int:
    if options.seeds:
        return _train_each(options)
    from cifar_keras import runs
    from cifar_keras.data import load
    from cifar_keras.recipe import load_recipe, recipe_path

    path = recipe_path(options.recipe)
    recipe = load_recipe(path, options.set)
    seed = 1 if options.seed is None else options.seed
    folder = options.run_dir / runs.run_name(path.stem, seed, options.budget, options.set)
    dataset = load(recipe.dataset, options.data_dir)

    import_tensorflow()
    from cifar_keras.training.devices import make_strategy
    from cifar_keras.training.train import Job, train

    job = Job(
        name=path.stem,
        recipe=recipe,
        seed=seed,
        budget=options.budget,
        overrides=tuple(options.set),
        folder=folder,
        command=("cifar-keras", *options.argv),
    )
    result = train(job, dataset, make_strategy(options.devices))
    print(
        f"{folder}: {100 * result.test_accuracy:.2f} % of {result.test_images:,} test images "
        f"after the last epoch ({result.epochs:g})"
    )
    return 0


def _train_each(options: argparse.Namespace) -> int:
    # A process for each seed: nothing carries over, and its peak memory is its own.
    rest = list(options.argv)
    place = next(i for i, text in enumerate(rest) if text.startswith("--seeds"))
    del rest[place : place + (1 if "=" in rest[place] else 2)]
    for seed in options.seeds:
        command = [sys.executable, "-m", "cifar_keras", *rest, "--seed", str(seed)]
        code = subprocess.run(command).returncode
        if code:
            return code
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    from cifar_keras import runs
    from cifar_keras.data import load

    run = runs.read_run(options.run)
    dataset = load(run.recipe.dataset, options.data_dir)

    import_tensorflow()
    from cifar_keras.evaluate import evaluate

    done = evaluate(options.run, run, dataset)
    named = " (synthetic, not CIFAR)" if dataset.synthetic else ""
    print(f"{run.name} seed {run.seed} on {dataset.name}{named}")
    print(f"test accuracy {100 * done.accuracy:.2f} % ({done.correct:,} of {done.images:,})")
    print("\naccuracy by class, lowest first")
    for name, accuracy in done.class_accuracies():
        print(f"  {100 * accuracy:6.2f} %  {name}")
    print("\nmost confused")
    for true, taken_for, images in done.most_confused():
        print(f"  {images:4d}  {true} taken for {taken_for}")


def _report(options: argparse.Namespace) -> None:
    from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
    from cifar_keras.report import write_report

    recipes = [(name, load_recipe(recipe_path(name))) for name in recipe_names()]
    roots = [options.output / "runs", *(options.run_dir or [Path("runs")])]
    for path in write_report(recipes, roots, options.output):
        print(path)


def _recipes(options: argparse.Namespace) -> None:
    from cifar_keras.listing import recipes_table

    print(recipes_table())


def _recipes_show(options: argparse.Namespace) -> None:
    from cifar_keras.listing import draw_rate
    from cifar_keras.recipe import load_recipe, recipe_path

    path = recipe_path(options.name)
    recipe = load_recipe(path, options.set)
    print(path.read_text(encoding="utf-8"))
    for override in options.set:
        print(f"--set {override}")

    import_tensorflow()
    from cifar_keras.models import build_model, multiply_adds

    shape = (recipe.data.crop, recipe.data.crop, 3)
    model = build_model(recipe.model.name, shape, recipe.num_classes, recipe.model.arguments)
    model.summary(line_length=100)
    print(f"multiply-adds an image: {multiply_adds(model, shape) / 1e6:.1f} M\n")
    print("learning rate over epochs")
    print(draw_rate(recipe))


def _data_fetch(options: argparse.Namespace) -> None:
    from cifar_keras.data.sources import fetch

    print(fetch(options.dataset, options.data_dir))


def _data_verify(options: argparse.Namespace) -> int:
    from cifar_keras.data.sources import verify

    reports = verify(options.dataset, options.data_dir)
    for report in reports:
        state = "official" if report.official else "NOT official"
        print(f"{report.file}: {state}{f' ({report.note})' if report.note else ''}")
    return 0


def _data_show(options: argparse.Namespace) -> None:
    from cifar_keras.data import load
    from cifar_keras.recipe import load_recipe, recipe_path

    recipe = load_recipe(recipe_path(options.recipe))
    dataset = load(options.dataset, options.data_dir)

    import_tensorflow()
    from cifar_keras.data.samples import write_samples

    print(write_samples(options.output, dataset, recipe.data, options.recipe, options.seed))


def _budget(text: str) -> str:
    try:
        budget = Decimal(text)
    except InvalidOperation:
        budget = Decimal(0)
    if not (budget.is_finite() and budget > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is no positive number; write 0.1, say")
    return f"{budget.normalize():f}"


def _seed(text: str) -> int:
    if not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0 to 2147483647")
    return int(text)


def _seeds(text: str) -> list[int]:
    return [_seed(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cifar-keras",
        description="Run again, check and compare the published results of CIFAR-10 and CIFAR-100.",
    )
    parser.add_argument("--version", action="version", version=f"cifar_keras {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_report(commands)
    _add_recipes(commands)
    _add_data(commands)
    return parser


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where CIFAR lies; else $CIFAR_KERAS_DATA, the caches, then a download",
    )


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, as optimizer.momentum=0.8; may be repeated",
    )


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train", help="train a recipe and write its run folder")
    parser.add_argument("--recipe", required=True, metavar="NAME|FILE")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=_seed, metavar="N", help="default 1")
    seeds.add_argument("--seeds", type=_seeds, metavar="N,N,...", help="one run after another")
    parser.add_argument(
        "--budget",
        type=_budget,
        default="1",
        metavar="F",
        help="scale the epochs and all boundaries by F; the run is marked as scaled",
    )
    _add_set(parser)
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="the folder of run folders (default: runs)",
    )
    _add_data_dir(parser)
    parser.add_argument(
        "--devices", default="auto", metavar="D", help="auto (default), cpu, or gpu:0,1"
    )
    parser.set_defaults(function=_train)


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate", help="show a run's weights all test images")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    _add_data_dir(parser)
    parser.set_defaults(function=_evaluate)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="write the comparison table and the curves")
    parser.add_argument(
        "--run-dir",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder of run folders, beside the report's own; may be repeated (default: runs)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help="where the report goes (default: reports)",
    )
    parser.set_defaults(function=_report)


def _add_recipes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("recipes", help="list the recipes, or show one")
    parser.set_defaults(function=_recipes)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    show = actions.add_parser("show", help="a recipe, its network and its rate")
    show.add_argument("name", metavar="NAME|FILE")
    _add_set(show)
    show.set_defaults(function=_recipes_show)


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("data", help="fetch, verify or show a data set")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download from the publisher, hash-checked")
    fetch.set_defaults(function=_data_fetch)
    verify = actions.add_parser("verify", help="say of each file whether it is the official one")
    verify.set_defaults(function=_data_verify)
    show = actions.add_parser("show", help="write a sheet of sample images, plain and augmented")
    show.add_argument(
        "--recipe", default="resnet20", metavar="NAME|FILE", help="whose augmentation"
    )
    show.add_argument("--output", type=Path, default=Path("samples.png"), metavar="PNG")
    show.add_argument("--seed", type=_seed, default=1, metavar="N")
    show.set_defaults(function=_data_show)
    for action in (fetch, verify, show):
        choices = DATASETS if action is show else DATASETS[:2]
        action.add_argument("dataset", choices=choices)
        _add_data_dir(action)

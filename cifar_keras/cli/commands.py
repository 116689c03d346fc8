"""Commands that call one function and print its result."""

from __future__ import annotations

import argparse
from pathlib import Path

from cifar_keras.errors import RunError
from cifar_keras.quiet import import_tensorflow
from cifar_keras.terminal import loading

# The number of classes that `evaluate` prints.
_WORST = 10


def evaluate(options: argparse.Namespace) -> None:
    """Print a run's test accuracy, in all and by class, and its most frequent confusions."""
    from cifar_keras import records
    from cifar_keras.data import load

    run = records.read_run(options.run)
    loading(f"{run.recipe.dataset} and TensorFlow")
    dataset = load(run.recipe.dataset, options.data_dir, mirrors=options.mirror)

    import_tensorflow()
    from cifar_keras.evaluate import evaluate, evaluate_views
    from cifar_keras.models import allow_outside

    if options.trust_model:
        allow_outside(options.trust_model)

    done = evaluate(options.run, run, dataset)
    named = " (synthetic, not CIFAR)" if dataset.synthetic else ""
    print(f"{run.recipe.named(run.name)} seed {run.seed} on {dataset.name}{named}")
    print(f"test accuracy {100 * done.accuracy:.2f} % ({done.correct:,} of {done.images:,})")
    if done.validation:
        images, correct = done.validation
        share = 100 * correct / images
        print(f"validation accuracy {share:.2f} % ({correct:,} of {images:,})")
    sure = done.confidence
    print(
        f"top-5 accuracy {100 * sure.top_5:.2f} %, negative log-likelihood "
        f"{sure.negative_log_likelihood:.4f}, expected calibration error "
        f"{100 * sure.calibration_error:.2f} %"
    )
    if options.tta:
        tta = evaluate_views(options.run, run, dataset)
        print(
            f"with test-time augmentation ({tta.views} views) {100 * tta.test_accuracy:.2f} % "
            f"({tta.test_correct:,} of {tta.test_images:,})"
        )
    classes = done.class_accuracies()
    shown = classes if options.all_classes else classes[:_WORST]
    left_out = f" ({_WORST} of {len(classes)}; --all-classes shows all)"
    print("\naccuracy by class, lowest first" + (left_out if len(shown) < len(classes) else ""))
    for name, accuracy in shown:
        print(f"  {100 * accuracy:6.2f} %  {name}")
    confused = done.most_confused()
    if confused:
        print("\nmost confused")
    for true, predicted, images in confused:
        print(f"  {images:4d}  {true} predicted as {predicted}")


def report(options: argparse.Namespace) -> None:
    """Write the report; print the paths of its pages."""
    from cifar_keras.recipe import load_recipe, recipe_names, recipe_path
    from cifar_keras.report import checkout, write_report

    root = checkout()
    recipes = [(name, load_recipe(recipe_path(name))) for name in recipe_names()]
    if options.publish:
        if options.run_dir or options.output:
            options.parser.error("--publish sets --run-dir and --output itself; leave them out")
        if root is None:
            raise RunError(
                "report --publish writes into a checkout of cifar_keras, but the package is not "
                "installed from one; leave --publish out, or run it from a checkout"
            )
        out = root / "reports"
        paths = write_report(recipes, [out / "runs"], out, root=root)
    else:
        roots = options.run_dir or [Path("runs")]
        out = options.output or roots[0] / "report"
        paths = write_report(recipes, roots, out, committed=root and root / "reports" / "runs")
    for path in paths:
        if path.parent not in (out / "cards", out / "curves"):
            print(path)


def list_runs(options: argparse.Namespace) -> None:
    """Print the table of run folders."""
    from cifar_keras.records import find_runs
    from cifar_keras.run_list import runs_table

    roots = options.run_dir or [Path("runs")]
    if folders := find_runs(roots):
        print(runs_table(folders))
    else:
        print(f"no run folders in {', '.join(str(root) for root in roots)}")


def fetch_data(options: argparse.Namespace) -> None:
    """Copy the data set, or download it if it is missing; print its path."""
    from cifar_keras.data import sources

    if options.source and options.mirror:
        options.parser.error("--from downloads nothing; leave --mirror out")
    if options.source:
        print(sources.copy(options.dataset, options.source, options.data_dir))
    else:
        print(sources.fetch(options.dataset, options.data_dir, options.mirror))


def verify_data(options: argparse.Namespace) -> None:
    """Print for each file whether it is the official one."""
    from cifar_keras.data.sources import verify

    for file in verify(options.dataset, options.data_dir):
        state = "official" if file.official else "NOT official"
        print(f"{file.file}: {state}{f' ({file.note})' if file.note else ''}")


def show_data(options: argparse.Namespace) -> None:
    """Write a sheet of sample images; print its path."""
    from cifar_keras.data import load
    from cifar_keras.recipe import load_recipe, recipe_path

    recipe = load_recipe(recipe_path(options.recipe))
    dataset = load(options.dataset, options.data_dir, mirrors=options.mirror)

    import_tensorflow()
    from cifar_keras.data.samples import write_samples

    print(write_samples(options.output, dataset, recipe.data, options.recipe, options.seed))

"""`recipes`: list, show and create recipes."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from cifar_keras.errors import RecipeError
from cifar_keras.quiet import import_tensorflow
from cifar_keras.terminal import loading

if TYPE_CHECKING:
    from cifar_keras.recipe import Recipe


def recipes(options: argparse.Namespace) -> None:
    """Print the shipped recipes, or the names of those with a published result."""
    from cifar_keras.lengths import lengths, published_recipes
    from cifar_keras.listing import recipes_table
    from cifar_keras.recipe import load_recipe, recipe_names, recipe_path

    if options.published:
        print(",".join(published_recipes()))
        return
    every = {name: load_recipe(recipe_path(name)) for name in recipe_names()}
    chosen = _chosen(every, options.system, options.search)
    times = lengths(every, options.run_dir or [Path("runs")])
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(recipes_table(chosen, times, width))


def _chosen(every: dict[str, Recipe], system: str | None, search: str | None) -> dict[str, Recipe]:
    chosen = every
    if system:
        chosen = {k: v for k, v in chosen.items() if v.system.casefold() == system.casefold()}
        if not chosen:
            there = ", ".join(sorted({recipe.system for recipe in every.values()}))
            raise RecipeError(f"--system {system}: unknown system; choose from {there}")
    if search:
        wanted = search.casefold()
        chosen = {
            name: recipe
            for name, recipe in chosen.items()
            if wanted in f"{name} {recipe.title} {recipe.model.name} {recipe.dataset}".casefold()
        }
        if not chosen:
            raise RecipeError(f"--search '{search}': no recipe matches; try a shorter text")
    return chosen


def show_recipe(options: argparse.Namespace) -> None:
    """Print a recipe: a summary and its differences from the base, or every key as YAML."""
    from cifar_keras.recipe import load_recipe, recipe_path, resolved

    path = recipe_path(options.name)
    recipe = load_recipe(path, options.set)
    if options.yaml:
        print(resolved(path, options.set), end="")
        return
    _print_facts(path, recipe, options)
    if options.layers:
        _print_layers(path, recipe)


def _print_facts(path: Path, recipe: Recipe, options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cifar_keras.listing import draw_rate
    from cifar_keras.recipe.files import opening_comment, own_keys
    from cifar_keras.recipe.strict_yaml import dump_yaml

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    console.print(Text.assemble((path.stem, "bold"), f"  {recipe.title}"))
    console.print(Text(opening_comment(path), "dim"), end="\n\n")
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for key, value in _facts(path.stem, recipe, options).items():
        facts.add_row(key, Text(value))
    console.print(facts)
    base, own = own_keys(path)
    if base:
        console.print(Text(f"\nWhat differs from {base}", "bold"))
        console.print(Text(indent(dump_yaml(own).rstrip(), "  ")))
    console.print(Text("\nLearning rate", "bold"))
    console.print(Text(draw_rate(recipe)))
    command = f"cifar-keras train --recipe {options.name}"
    console.print(Text.assemble("\nTrain it: ", (command, "bold")))
    console.print(Text(f"All keys: cifar-keras recipes show {options.name} --yaml"))


def _facts(name: str, recipe: Recipe, options: argparse.Namespace) -> dict[str, str]:
    from cifar_keras.lengths import lengths
    from cifar_keras.listing import duration, published_cell
    from cifar_keras.recipe import load_recipe, recipe_names, recipe_path

    facts = {
        "data set": recipe.dataset,
        "network": _keys(recipe.model.model_dump()),
        "parameters": f"{recipe.parameters:,}" if recipe.parameters else "not stated",
        "batches": _keys(recipe.data.model_dump(exclude_defaults=True)),
        "optimizer": _keys(recipe.optimizer.model_dump(exclude_defaults=True)),
        "epochs": f"{float(recipe.epochs):g}"
        + (f" in {len(recipe.stages)} stages" if len(recipe.stages) > 1 else ""),
        "precision": recipe.precision,
    }
    if recipe.label_smoothing:
        facts["label smoothing"] = f"{recipe.label_smoothing:g}"
    if reference := recipe.reference:
        facts["published"] = f"{published_cell(recipe)}: {reference.source}"
    if name in recipe_names() and not options.set:
        every = {each: load_recipe(recipe_path(each)) for each in recipe_names()}
        times = lengths(every, [Path("runs")])
        if name in times.seconds:
            facts["time"] = f"about {duration(times.seconds[name])} ({times.where})"
    return facts


def _keys(tree: dict[str, Any]) -> str:
    """Return the keys and values of a section as text, after its name."""
    from cifar_keras.recipe import flat

    leaves = flat(tree)
    named = [str(leaves.pop("name"))] if "name" in leaves else []
    return ", ".join([*named, *(f"{key} {value}" for key, value in leaves.items())])


def _print_layers(path: Path, recipe: Recipe) -> None:
    loading("TensorFlow")
    import_tensorflow()
    from cifar_keras.experiment.network import build_network
    from cifar_keras.models import allow_outside, multiply_adds

    allow_outside(path.parent)
    model = build_network(recipe)
    print()
    model.summary(line_length=100)
    macs = multiply_adds(model, recipe.image_shape)
    print(f"multiply-adds per image: {macs / 1e6:.1f} M")


def new_recipe(options: argparse.Namespace) -> None:
    """Write a recipe to start from; print its path."""
    from cifar_keras.recipe.new import write_new_recipe

    print(write_new_recipe(options.name, options.base, Path()))

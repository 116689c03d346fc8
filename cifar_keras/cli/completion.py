"""`completion`: print a script for shell completion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def completion(options: argparse.Namespace) -> None:
    """Print the completion script of a shell."""
    import shtab

    from cifar_keras.cli.parser import make_parser

    parser = make_parser()
    _mark_values(parser)
    print(shtab.complete(parser, options.shell))


def _mark_values(parser: argparse.ArgumentParser) -> None:
    """Mark which options take recipes, files or folders, also in subcommands."""
    import shtab

    from cifar_keras.recipe import recipe_names

    recipes = shtab.cmd(f"echo {' '.join(recipe_names())}")
    for action in parser._actions:
        # shtab reads the attribute `complete`, which argparse does not declare.
        marked: Any = action
        metavar = str(action.metavar)
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _mark_values(below)
        elif metavar.startswith("NAME|FILE"):
            marked.complete = recipes
        elif action.type is Path:
            folder = metavar in ("DIR", "FOLDER", "RUN")
            marked.complete = shtab.DIRECTORY if folder else shtab.FILE

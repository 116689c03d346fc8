"""`completion`: the script that completes commands in a shell."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def completion(options: argparse.Namespace) -> None:
    """Print the script of a shell."""
    import shtab

    from cifar_keras.cli.parser import make_parser

    parser = make_parser()
    _tell_values(parser)
    print(shtab.complete(parser, options.shell))


def _tell_values(parser: argparse.ArgumentParser) -> None:
    """Mark the values that are recipes, files and folders, in this command and those below."""
    import shtab

    from cifar_keras.recipe import recipe_names

    recipes = shtab.cmd(f"echo {' '.join(recipe_names())}")
    for action in parser._actions:
        # shtab reads the attribute, which argparse does not know.
        marked: Any = action
        metavar = str(action.metavar)
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _tell_values(below)
        elif metavar.startswith("NAME|FILE"):
            marked.complete = recipes
        elif action.type is Path:
            folder = metavar in ("DIR", "FOLDER", "RUN")
            marked.complete = shtab.DIRECTORY if folder else shtab.FILE

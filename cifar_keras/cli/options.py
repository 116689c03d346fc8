"""What the options of several commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Options are written out, and misuse is told in one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see '{self.prog} --help'\n")


Commands = argparse._SubParsersAction


def add(actions: Commands[Parser], name: str, text: str, function: Any) -> Parser:
    """A command that calls `function`, with its text in the lists of commands and on its own."""
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(function=function, parser=parser)
    return parser


def add_data_dir(parser: Parser, downloads: bool = True) -> None:
    """Where the data are, and where they are downloaded from."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="CIFAR directory (default: $CIFAR_KERAS_DATA, then caches, then download)",
    )
    if downloads:
        parser.add_argument(
            "--mirror",
            action="append",
            default=[],
            metavar="URL",
            help="download from here first, the archive or its folder; may be repeated "
            "(default: $CIFAR_KERAS_MIRROR, then the publisher and known mirrors)",
        )


def add_trust(parser: Parser) -> None:
    """Whether a network from outside of this package may be imported."""
    parser.add_argument(
        "--trust-model",
        type=Path,
        metavar="FOLDER",
        help="run the code of a network from outside of this package, which a run may name: from "
        "this folder, or from the Python path",
    )


def add_set(parser: Parser) -> None:
    """Overrides of a recipe's keys."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, as optimizer.momentum=0.8; may be repeated",
    )


def add_run_dirs(parser: Parser, text: str) -> None:
    """One folder of run folders or several."""
    parser.add_argument(
        "--run-dir", type=Path, action="extend", nargs="+", metavar="DIR", help=text
    )

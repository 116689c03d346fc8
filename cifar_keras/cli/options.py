"""The parser, and options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations that reports errors in one line with the closest name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    @property
    def options(self) -> list[str]:
        """All options of this command."""
        return [option for action in self._actions for option in action.option_strings]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            # Import here, because it imports pydantic.
            from cifar_keras.recipe.wording import nearest

            hint = nearest(str(value), map(str, action.choices), "choose from")
            raise argparse.ArgumentError(action, f"invalid choice: '{value}'; {hint}")

    def error(self, message: str) -> NoReturn:
        see = " See" if message.endswith("?") else "; see"
        self.exit(2, f"{self.prog}: error: {message}{see} '{self.prog} --help'\n")


Commands = argparse._SubParsersAction


def add(actions: Commands[Parser], name: str, text: str, function: Any) -> Parser:
    """Add a command that calls `function`; `text` is its help."""
    parser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(function=function, parser=parser)
    return parser


def add_data_dir(parser: Parser, downloads: bool = True) -> None:
    """Add the options for the data's folder and download addresses."""
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
            help="download from this URL first, the archive or its folder; may be repeated "
            "(default: $CIFAR_KERAS_MIRROR, then the publisher and known mirrors)",
        )


def add_trust(parser: Parser) -> None:
    """Add the option that allows importing a network from outside this package."""
    parser.add_argument(
        "--trust-model",
        type=Path,
        metavar="FOLDER",
        help="allow the run to import a network from outside this package, from this folder or "
        "the Python path; importing runs its code",
    )


def add_set(parser: Parser) -> None:
    """Add the option that overrides a recipe's keys."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, e.g. optimizer.momentum=0.8; may be repeated",
    )


def add_run_dirs(parser: Parser, text: str) -> None:
    """Add the option for folders of run folders."""
    parser.add_argument(
        "--run-dir", type=Path, action="extend", nargs="+", metavar="DIR", help=text
    )

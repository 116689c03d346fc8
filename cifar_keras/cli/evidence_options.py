"""The options of the commands that use finished runs."""

from __future__ import annotations

from pathlib import Path

from cifar_keras.cli import evidence
from cifar_keras.cli.options import Commands, Parser, add, add_data_dir, add_run_dirs, add_trust


def add_verify(actions: Commands[Parser]) -> None:
    """Add the command `verify`."""
    text = "verify run folders: check the hashes, and evaluate the weights again"
    parser = add(actions, "verify", text, evidence.verify)
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN", help="a run folder")
    parser.add_argument("--all", action="store_true", help="verify every run folder in --run-dir")
    add_run_dirs(parser, "with --all: folders of run folders (default: reports/runs)")
    add_data_dir(parser)
    add_trust(parser)


def add_publish(actions: Commands[Parser]) -> None:
    """Add the command `publish`."""
    text = "copy a finished run's records into the repository's evidence"
    parser = add(actions, "publish", text, evidence.publish)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--weights",
        action="store_true",
        help="also write the weights with kernels rounded to float16, and evaluate those",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=evidence.COMMITTED,
        metavar="DIR",
        help=f"copy into this folder of run folders (default: {evidence.COMMITTED})",
    )
    add_data_dir(parser)
    add_trust(parser)


def add_compare(actions: Commands[Parser]) -> None:
    """Add the command `compare`."""
    text = "show the differences between runs, and their results, side by side"
    parser = add(actions, "compare", text, evidence.compare)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="two or more run folders")


def add_export(actions: Commands[Parser]) -> None:
    """Add the command `export`."""
    text = "export a run's network with its preprocessing"
    parser = add(actions, "export", text, evidence.export)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--to", required=True, choices=("keras", "savedmodel", "onnx"), help="the format"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file or folder to write (default: named after the run, in the current folder)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an earlier export of that name; never replaces anything else",
    )
    add_data_dir(parser)
    add_trust(parser)


def add_predict(actions: Commands[Parser]) -> None:
    """Add the command `predict`."""
    text = "classify images with a run's network"
    parser = add(actions, "predict", text, evidence.predict)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files")
    add_data_dir(parser)
    add_trust(parser)

"""The options of the commands that ask something of finished runs."""

from __future__ import annotations

from pathlib import Path

from cifar_keras.cli import evidence
from cifar_keras.cli.options import Commands, Parser, add, add_data_dir, add_run_dirs, add_trust


def add_verify(actions: Commands[Parser]) -> None:
    """The command `verify`."""
    text = "check a run folder: hash it, evaluate it again, and say of each figure if it holds"
    parser = add(actions, "verify", text, evidence.verify)
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN", help="a run folder")
    parser.add_argument("--all", action="store_true", help="every run folder of --run-dir")
    add_run_dirs(parser, "with --all: folders of run folders (default: reports/runs)")
    add_data_dir(parser)
    add_trust(parser)


def add_publish(actions: Commands[Parser]) -> None:
    """The command `publish`."""
    text = "copy a finished run's records to where a repository keeps its evidence"
    parser = add(actions, "publish", text, evidence.publish)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--weights",
        action="store_true",
        help="also its weights with kernels in float16, and their accuracy, evaluated again",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=evidence.COMMITTED,
        metavar="DIR",
        help=f"the folder of run folders to copy to (default: {evidence.COMMITTED})",
    )
    add_data_dir(parser)
    add_trust(parser)


def add_compare(actions: Commands[Parser]) -> None:
    """The command `compare`."""
    text = "show side by side what differs between runs, and their figures"
    parser = add(actions, "compare", text, evidence.compare)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="two or more run folders")


def add_export(actions: Commands[Parser]) -> None:
    """The command `export`."""
    text = "write a run's network, with its preprocessing, for use elsewhere"
    parser = add(actions, "export", text, evidence.export)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument(
        "--to", required=True, choices=("keras", "savedmodel", "onnx"), help="the format"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="the file or folder to write (default: named after the run, in the current folder)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an earlier export of that name; anything else that is there is kept",
    )
    add_data_dir(parser)
    add_trust(parser)


def add_predict(actions: Commands[Parser]) -> None:
    """The command `predict`."""
    text = "show images to a run's saved network"
    parser = add(actions, "predict", text, evidence.predict)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files")
    add_data_dir(parser)
    add_trust(parser)

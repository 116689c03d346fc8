"""Find data sets: in the user's folder, then in the caches, then on the network."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cifar_keras.data.dataset import Dataset
from cifar_keras.data.official import FileReport
from cifar_keras.data.published import archives
from cifar_keras.data.published.copying import copy_checked
from cifar_keras.data.published.download import download_archive
from cifar_keras.data.published.layouts import LAYOUTS, Layout
from cifar_keras.data.synthetic import PLANS, synthetic
from cifar_keras.errors import DataError

DATASETS: tuple[str, ...] = (*LAYOUTS, *PLANS)

logger = logging.getLogger("cifar_keras")


def load(
    name: str,
    data_dir: str | Path | None = None,
    download: bool = True,
    mirrors: Sequence[str] = (),
) -> Dataset:
    """Return a data set: found on this machine, downloaded, or generated if it is synthetic.

    The published sets are searched in `data_dir`, `$CIFAR_KERAS_DATA`, this package's cache and
    Keras' cache, folders before archives and pickles before the binary layout. If there is none, it
    is downloaded to the first of these. If a copy is not the official one, the logger "cifar_keras"
    warns. A synthetic set never replaces a published one.

    Args:
        name: One of `DATASETS`.
        data_dir: The folder to search first: a layout's own folder or one that contains it.
        download: Whether to download a data set that is not found.
        mirrors: Addresses to download from before all others.

    Raises:
        DataError: If the name is unknown, or the data are missing, damaged or not downloadable.
    """
    if name in PLANS:
        return synthetic(name)
    path, layout = _find(name, data_dir) or _obtain(name, data_dir, download, mirrors)
    dataset, reports = archives.read(path, layout)
    if not dataset.provenance["official"]:
        logger.warning("%s", _warning(path, dataset, reports))
    return dataset


def fetch(name: str, data_dir: str | Path | None = None, mirrors: Sequence[str] = ()) -> Path:
    """Return the folder or archive of a published data set; download it if it is not found.

    Args:
        name: "cifar10" or "cifar100".
        data_dir: See `load`.
        mirrors: See `load`.

    Raises:
        DataError: If the name is unknown or the download fails.
    """
    path, _ = _find(name, data_dir) or _obtain(name, data_dir, True, mirrors)
    return path


def copy(name: str, source: Path, data_dir: str | Path | None = None) -> Path:
    """Copy a published data set to where `load` finds it; return the new folder or archive.

    Args:
        name: "cifar10" or "cifar100".
        source: An archive under any name, a layout's folder, or a folder that contains either.
        data_dir: Where to put it; by default `$CIFAR_KERAS_DATA` or this package's cache.

    Raises:
        DataError: If the source is not the official data set, the target exists, or the copy cannot
            be written. No partial copy is left.
    """
    _check(name, data_dir)
    root = _own_roots(data_dir)[0]
    if there := _find_in(root, name):
        raise DataError(f"{there[0]} already exists; remove it, or choose another --data-dir")
    dataset, reports, path, layout = _recognize(name, source)
    if not dataset.provenance["content_official"]:
        raise DataError(
            f"{path} does not hold the official images and labels of {name}; get another copy, or "
            "name its folder with --data-dir to use it anyway"
        )
    if not dataset.provenance["official"]:
        logger.warning("%s", _warning(path, dataset, reports))
    if path.is_dir():
        return copy_checked(path, root / layout.name, {each.file: each.md5 for each in reports})
    return copy_checked(path, root / layout.archive, {"": reports[0].md5})


def _recognize(name: str, source: Path) -> tuple[Dataset, list[FileReport], Path, Layout]:
    if source.is_dir():
        found = _find_in(source, name)
        if found is None:
            expected = " or ".join(layout.archive for layout in LAYOUTS[name])
            raise DataError(f"{source} holds no {name}: expected {expected}, or their folders")
        return *archives.read(*found), *found
    errors = []
    for layout in LAYOUTS[name]:
        try:
            return *archives.read(source, layout), source, layout
        except DataError as error:
            errors.append(error)
    raise errors[0]


def verify(name: str, data_dir: str | Path | None = None) -> list[FileReport]:
    """Return one report per file of the copy that `load` would use; download nothing.

    Args:
        name: "cifar10" or "cifar100".
        data_dir: See `load`.

    Raises:
        DataError: If there is no copy, or its counts, shapes or labels make it unusable.
    """
    path, layout = _find(name, data_dir) or _obtain(name, data_dir, False)
    return archives.read(path, layout)[1]


def _check(name: str, data_dir: str | Path | None) -> None:
    if name in PLANS:
        raise DataError(
            f"{name} is generated from a seed and has no files to fetch or verify; name cifar10 or "
            "cifar100"
        )
    if name not in LAYOUTS:
        raise DataError(f"unknown data set; known are {', '.join(DATASETS)}. Received: {name!r}")
    if data_dir is not None and not Path(data_dir).is_dir():
        raise DataError(f"the data folder must exist; create or correct it. Received: {data_dir}")


def _find(name: str, data_dir: str | Path | None) -> tuple[Path, Layout] | None:
    _check(name, data_dir)
    found = (_find_in(root, name) for root in _roots(data_dir))
    return next((each for each in found if each), None)


def _find_in(root: Path, name: str) -> tuple[Path, Layout] | None:
    for places in (_folders, _archives):
        for layout in LAYOUTS[name]:
            for path in places(root, layout):
                return path, layout
    return None


def _roots(data_dir: str | Path | None) -> list[Path]:
    keras_home = os.environ.get("KERAS_HOME")
    keras = Path(keras_home) if keras_home else Path.home() / ".keras"
    return [*_own_roots(data_dir), keras / "datasets"]


def _own_roots(data_dir: str | Path | None) -> list[Path]:
    named = [data_dir, os.environ.get("CIFAR_KERAS_DATA")]
    cache = os.environ.get("XDG_CACHE_HOME")
    own = (Path(cache) if cache else Path.home() / ".cache") / "cifar_keras"
    return [*(Path(folder) for folder in named if folder), own]


def _folders(root: Path, layout: Layout) -> Iterator[Path]:
    if root.name == layout.name or all((root / file).is_file() for file in layout.files):
        yield root
    # Keras 3 unpacks into a folder "<layout>-target", Keras 2 next to its archive.
    for parent in (root, root / f"{layout.name}-target"):
        if (parent / layout.name).is_dir():
            yield parent / layout.name


def _archives(root: Path, layout: Layout) -> Iterator[Path]:
    # The publisher's name, then Keras 2's, then Keras 3's.
    for name in (layout.archive, f"{layout.name}.tar.gz", f"{layout.name}-target_archive"):
        if (root / name).is_file():
            yield root / name


def _obtain(
    name: str, data_dir: str | Path | None, allowed: bool, mirrors: Sequence[str] = ()
) -> tuple[Path, Layout]:
    layout = LAYOUTS[name][0]
    if not allowed:
        raise DataError(
            f"{name} is not in {', '.join(map(str, _roots(data_dir)))}; run "
            f"`cifar-keras data fetch {name}`, or put {layout.archive} in one of them"
        )
    return download_archive(layout.archive, _own_roots(data_dir)[0], mirrors), layout


def _warning(path: Path, dataset: Dataset, reports: list[FileReport]) -> str:
    altered = ", ".join(report.file for report in reports if not report.official)
    if dataset.provenance["content_official"]:
        verdict = "its contents are the official images and labels in another order or packing"
    else:
        verdict = "its contents differ from the official ones: results are not comparable"
    return f"{dataset.name}: {path} is not the official copy ({altered}); {verdict}"

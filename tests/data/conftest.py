"""Tiny copies of the published files, written in their published layouts."""

import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cifar_keras.data.published import layouts
from cifar_keras.data.published.layouts import Layout

TRAIN, TEST = 20, 6


@pytest.fixture(autouse=True)
def _small_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request) -> None:
    """Let fakes have few images, and hide the machine's caches and proxies."""
    if request.node.get_closest_marker("data"):
        return
    monkeypatch.setattr(layouts, "TRAIN_IMAGES", TRAIN)
    monkeypatch.setattr(layouts, "TEST_IMAGES", TEST)
    monkeypatch.delenv("CIFAR_KERAS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def fake() -> Callable[[Path, Layout], Path]:
    """Write the same images and labels under a folder, in any layout of their data set."""
    return write_fake


def write_fake(root: Path, layout: Layout) -> Path:
    folder = root / layout.name
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    for file in (*layout.train, *layout.test):
        count = layout.images_in(file)
        rows = rng.integers(0, 256, (count, 3072), np.uint8)
        labels = [rng.integers(0, classes, count) for classes in layout.class_counts]
        if layout.binary:
            stored = np.stack(labels[::-1], axis=1).astype(np.uint8)
            (folder / file).write_bytes(np.hstack([stored, rows]).tobytes())
        else:
            columns = {
                key.encode(): column.tolist()
                for key, column in zip(layout.label_keys, labels, strict=True)
            }
            write_pickle(folder / file, {b"data": rows, **columns})
    groups = zip(("class", "group"), layout.class_counts, strict=False)
    names = [[f"{kind}{index}" for index in range(count)] for kind, count in groups]
    if layout.binary:
        for (file, _), texts in zip(layout.names, names, strict=True):
            (folder / file).write_text("\n".join(texts) + "\n\n")
    else:
        keys = [key.encode() for _, key in layout.names]
        values = [[text.encode() for text in texts] for texts in names]
        write_pickle(folder / layout.names[0][0], dict(zip(keys, values, strict=True)))
    return folder


def write_pickle(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.fixture
def rewrite() -> Callable[..., None]:
    """Change keys of a pickled file."""

    def change(path: Path, **changes: object) -> None:
        value = pickle.loads(path.read_bytes(), encoding="bytes")
        value.update({key.encode(): item for key, item in changes.items()})
        write_pickle(path, value)

    return change


@pytest.fixture
def pack() -> Callable[[Path, Path], Path]:
    """Pack a folder into a .tar.gz."""

    def pack_folder(folder: Path, archive: Path) -> Path:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(folder, folder.name)
        return archive

    return pack_folder


@pytest.fixture
def real_data() -> str:
    """Return the folder of the real files, for tests marked `data`."""
    folder = os.environ.get("CIFAR_KERAS_DATA")
    if not folder:
        pytest.skip("CIFAR_KERAS_DATA is not set")
    return folder

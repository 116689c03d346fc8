"""Read the published files of CIFAR-10 and CIFAR-100, in any of their four layouts, as arrays.

Nothing is extracted to disk and nothing in a file is executed. Every count, size and label is
checked.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cifar_keras.data import official
from cifar_keras.data.dataset import Dataset, Split, content_sha256
from cifar_keras.data.official import FileReport
from cifar_keras.data.published.layouts import IMAGE_BYTES, Layout
from cifar_keras.data.published.pickles import REFETCH, as_text, load_dictionary
from cifar_keras.errors import DataError
from cifar_keras.files import LARGEST_FILE, open_regular

# Names are printed. A long one would flood a terminal, and control characters would control it.
LONGEST_NAME = 100


@dataclass(frozen=True)
class _Part:
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read(path: Path, layout: Layout) -> tuple[Dataset, list[FileReport]]:
    """Read a data set from a folder or a .tar.gz archive.

    Args:
        path: The layout's folder, under any name, or the archive.
        layout: The layout of the files.

    Returns:
        The data set, and one report per file (the archive itself first) on whether it is the
        official one.

    Raises:
        DataError: If a file is missing, damaged, or does not have the layout.
    """
    parts: dict[str, _Part] = {}
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    sums: dict[str, str] = {}
    packed = not path.is_dir()
    if packed:
        # A copy may have any name except that of a file inside it.
        name = layout.archive if path.name in layout.files else path.name
        sums[name] = _md5_of_file(path)
    for file, content in _tar_files(path, layout) if packed else _folder_files(path, layout):
        sums[file] = hashlib.md5(content, usedforsecurity=False).hexdigest()
        try:
            if file in layout.train or file in layout.test:
                parts[file] = _read_part(content, file, layout)
            else:
                names.update(_read_names(content, file, layout))
        except DataError as error:
            raise DataError(f"{path / file}: {error}") from error
    train = _join([parts.pop(file) for file in layout.train])
    test = _join([parts.pop(file) for file in layout.test])
    class_names, *coarse_names = named = [names[key] for key in layout.names]
    contents = {"train": content_sha256(train), "test": content_sha256(test)}
    reports = official.judge(layout, sums, contents, named)
    dataset = Dataset(
        name=layout.dataset,
        train=train,
        test=test,
        class_names=class_names,
        coarse_names=coarse_names[0] if coarse_names else None,
        provenance=_provenance(path, layout, contents, reports),
    )
    return dataset, reports


def _provenance(
    path: Path, layout: Layout, contents: dict[str, str], reports: list[FileReport]
) -> dict[str, Any]:
    return {
        "name": layout.dataset,
        "synthetic": False,
        "official": all(report.official for report in reports),
        "content_official": contents == official.CONTENT_SHA256[layout.dataset],
        "layout": layout.name,
        "source": path.name,
        "files": {
            report.file: {"md5": report.md5, "official": report.official} for report in reports
        },
        "content_sha256": contents,
    }


def _folder_files(folder: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    for file in layout.files:
        try:
            with open_regular(folder / file) as stream:
                yield file, stream.read(LARGEST_FILE)
        except OSError as error:
            raise DataError(
                f"{folder / file}: cannot be read ({error.strerror}); {folder.name} needs "
                f"{', '.join(layout.files)}: unpack {layout.archive} again"
            ) from error


class _Bounded(gzip.GzipFile):
    """Unpacks at most `LARGEST_FILE` bytes, since a small gzip file can expand to terabytes."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(fileobj=file)
        self.left = LARGEST_FILE
        self.ended = False

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        if not block and self.ended:
            # To skip a member that claims exabytes, tarfile would keep reading empty blocks.
            raise EOFError("it ends too early")
        self.ended = not block
        self.left -= len(block)
        if self.left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {LARGEST_FILE:,} bytes")
        return block


def _tar_files(archive: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    try:
        with open_regular(archive) as file, _Bounded(file) as content:
            yield from _members(content, archive, layout)
    # tarfile trusts the names, sizes and nesting in the archive, so it can fail in any of these.
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{archive}: truncated or damaged ({error}); {REFETCH}") from error


def _members(content: _Bounded, archive: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    # A member's path is only compared, never opened. Each of the layout's files is read once.
    wanted = {f"{layout.name}/{file}": file for file in layout.files}
    with tarfile.open(fileobj=content, mode="r|", bufsize=2**20) as tar:
        for member in tar:
            file = wanted.pop(str(PurePosixPath(member.name)), None)
            if file is None:
                continue
            plain = member.isreg() and not member.issparse() and member.size <= LARGEST_FILE
            stream = tar.extractfile(member) if plain else None
            if stream is None:
                raise DataError(
                    f"{archive}: {file} must be a plain file of at most {LARGEST_FILE:,} bytes. "
                    f"Received: {member.size:,} bytes, type {member.type!r}; {REFETCH}"
                )
            yield file, stream.read()
    if wanted:
        raise DataError(f"{archive}: lacks {', '.join(sorted(wanted))}; {REFETCH}")


def _md5_of_file(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open_regular(path) as stream:
            while block := stream.read(2**20):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _read_part(content: bytes, file: str, layout: Layout) -> _Part:
    rows, labels = (
        _binary_rows(content, file, layout)
        if layout.binary
        else _pickled_rows(content, file, layout)
    )
    for column, count in enumerate(layout.class_counts):
        low, high = int(labels[:, column].min()), int(labels[:, column].max())
        if low < 0 or high >= count:
            raise DataError(
                f"{'coarse ' * column}labels must be from 0 to {count - 1}. "
                f"Received: {low if low < 0 else high}; {REFETCH}"
            )
    # Images are stored channel by channel. The copy lets the file's bytes be freed.
    images = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return _Part(images, labels)


def _binary_rows(
    content: bytes, file: str, layout: Layout
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    width = len(layout.class_counts)
    record, count = width + IMAGE_BYTES, layout.images_in(file)
    if len(content) != record * count:
        raise DataError(
            f"must have {record * count} bytes ({count} images). "
            f"Received: {len(content)} bytes; truncated or altered, {REFETCH}"
        )
    records = np.frombuffer(content, np.uint8).reshape(count, record)
    # CIFAR-100 stores the coarse label before the fine one.
    return records[:, width:], records[:, :width][:, ::-1].astype(np.int64)


def _pickled_rows(
    content: bytes, file: str, layout: Layout
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    values = load_dictionary(content)
    count = layout.images_in(file)
    rows = values.get("data")
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
        raise DataError(f"'data' must be an array of uint8. Received: {_kind(rows)}; {REFETCH}")
    if rows.shape != (count, IMAGE_BYTES):
        raise DataError(
            f"must hold {count} images of {IMAGE_BYTES} bytes. "
            f"Received: an array of shape {rows.shape}; truncated or altered, {REFETCH}"
        )
    columns = []
    for key in layout.label_keys:
        labels = values.get(key)
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise DataError(
                f"{key!r} must be a list of whole numbers. Received: {_kind(labels)}; {REFETCH}"
            )
        if len(labels) != count:
            raise DataError(f"must hold {count} {key}. Received: {len(labels)}; {REFETCH}")
        columns.append(labels)
    try:
        return rows, np.array(columns, np.int64).T
    except OverflowError as error:
        raise DataError(f"a label is beyond any range ({error}); {REFETCH}") from error


def _read_names(
    content: bytes, file: str, layout: Layout
) -> dict[tuple[str, str], tuple[str, ...]]:
    values: dict[str, Any] = {"": content.split()} if layout.binary else load_dictionary(content)
    found = {}
    for name_key, count in zip(layout.names, layout.class_counts, strict=True):
        if name_key[0] != file:
            continue
        names = values.get(name_key[1])
        texts = _class_names(names) if isinstance(names, list) and len(names) == count else ()
        if len(set(texts)) != count:
            raise DataError(
                f"must hold {count} different class names in printable text. "
                f"Received: {_kind(names)}; {REFETCH}"
            )
        found[name_key] = texts
    return found


def _class_names(names: list[Any]) -> tuple[str, ...]:
    """Return the names, or an empty tuple if one of them is not short printable text."""
    if any(not isinstance(name, str | bytes) or len(name) > LONGEST_NAME for name in names):
        return ()
    texts = tuple(map(as_text, names))
    return texts if all(text.isprintable() for text in texts) else ()


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else type(value).__name__


def _join(parts: list[_Part]) -> Split:
    labels = np.concatenate([part.labels for part in parts])
    return Split(
        images=parts[0].images if len(parts) == 1 else np.concatenate([p.images for p in parts]),
        labels=np.ascontiguousarray(labels[:, 0]),
        coarse_labels=np.ascontiguousarray(labels[:, 1]) if labels.shape[1] == 2 else None,
    )

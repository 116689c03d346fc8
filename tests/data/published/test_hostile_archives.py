"""Archives whose members lie about what and how much they hold."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import answer, tree
from hypothesis import given
from hypothesis import strategies as st

from cifar_keras.data.published import archives
from cifar_keras.data.published.layouts import (
    CIFAR10_BINARY,
    CIFAR100_PYTHON,
)
from cifar_keras.errors import DataError


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE])
def test_an_archive_member_that_is_no_plain_file_is_refused(kind: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-100-python/train")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)

    with pytest.raises(DataError, match="train must be a plain file"):
        archives.read(archive, CIFAR100_PYTHON)


def test_members_outside_the_folder_are_ignored_and_nothing_is_extracted(
    fake, pack, tmp_path: Path
) -> None:
    folder = fake(tmp_path, CIFAR10_BINARY)
    archive = tmp_path / "packed" / "cifar-10-binary.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("../escaped")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"bad"))
        tar.add(folder, folder.name)

    archives.read(archive, CIFAR10_BINARY)

    assert [path.name for path in archive.parent.iterdir()] == ["cifar-10-binary.tar.gz"]
    assert not (tmp_path / "escaped").exists()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def zeros_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def forty_gigabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(40 * 10**9)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (pipe, "not a regular file"),
        (zeros_without_end, "not a regular file"),
        (forty_gigabytes, "40,000,000,000 bytes, more than 268,435,456"),
    ],
)
def test_what_is_no_regular_file_of_plausible_size_is_refused_at_once(
    make: Callable[[Path], None], told: str, fake, tmp_path: Path
) -> None:
    folder = fake(tmp_path, CIFAR100_PYTHON)
    (folder / "train").unlink()
    archive = tmp_path / "cifar-100-python.tar.gz"
    for path in (folder / "train", archive):
        make(path)

    in_folder = answer(lambda: archives.read(folder, CIFAR100_PYTHON))
    packed = answer(lambda: archives.read(archive, CIFAR100_PYTHON))

    assert in_folder.startswith(f"{folder}/train: cannot be read ({told}); ")
    assert packed == f"{archive}: cannot be read ({told})"


def header(name: str, size: int, kind: bytes, form: int = tarfile.GNU_FORMAT) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(form)


LONG_NAME = header("././@LongLink", 5, tarfile.GNUTYPE_LONGNAME) + b"abcd".ljust(512, b"\0")


@pytest.mark.parametrize(
    ("start", "megabytes", "told"),
    [
        # A name of eight gigabytes.
        (header("././@LongLink", 2**33, tarfile.GNUTYPE_LONGNAME), 300, "unpacks to more than"),
        (header("pax", 2**33, tarfile.XHDTYPE), 300, "unpacks to more than"),
        # A member that is skipped.
        (header("big", 2**60, tarfile.REGTYPE), 300, "unpacks to more than"),
        # The same, in an archive that ends before it.
        (header("big", 2**62, tarfile.REGTYPE), 0, "ends too early"),
        # A name of a name of a name.
        (LONG_NAME * 3000, 0, "recursion"),
        (header("pax", 20, tarfile.XHDTYPE) + b"20 size=-9999999999\n".ljust(512, b"\0"), 0, ""),
        (header("cifar-100-python/train", 2**40, tarfile.REGTYPE), 0, "must be a plain file"),
    ],
)
def test_an_archive_that_would_fill_the_memory_is_refused(
    start: bytes, megabytes: int, told: str, tmp_path: Path
) -> None:
    archive = tmp_path / "cifar-100-python.tar.gz"
    with gzip.open(archive, "wb", 1) as file:
        file.write(start)
        for _ in range(megabytes):
            file.write(bytes(2**20))

    line = answer(lambda: archives.read(archive, CIFAR100_PYTHON))

    assert line.startswith(f"{archive}: ")
    assert told in line


def test_a_sparse_member_is_refused(fake, tmp_path: Path) -> None:
    archive = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("cifar-100-python/train")
        member.pax_headers = {
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.map": "0,1,39999999999,1",
            "GNU.sparse.realsize": "40000000000",
        }
        member.size = 2
        tar.addfile(member, io.BytesIO(b"ab"))

    assert "train must be a plain file" in answer(lambda: archives.read(archive, CIFAR100_PYTHON))


@pytest.fixture
def packed(fake, tmp_path: Path) -> bytes:
    """Return an uncompressed tar of a fake CIFAR-100."""
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w") as tar:
        tar.add(fake(tmp_path / "made", CIFAR100_PYTHON), "cifar-100-python")
    return stored.getvalue()


def check_archive(folder: Path, content: bytes) -> None:
    """Check that reading gives a data set or a one-line error, and leaves no file behind."""
    archive = folder / "cifar-100-python.tar.gz"
    archive.write_bytes(content)
    before = tree(folder)

    answer(lambda: archives.read(archive, CIFAR100_PYTHON))

    assert tree(folder) == before


CHANGES = st.binary(max_size=6) | st.sampled_from([b"L", b"K", b"x", b"S", b"7" * 11, b"\xff" * 8])


@pytest.mark.fuzz
@given(st.data())
def test_a_damaged_archive_is_read_or_refused(packed: bytes, tmp_path: Path, data) -> None:
    compress_first = data.draw(st.booleans())
    changed = bytearray(gzip.compress(packed, 1) if compress_first else packed)
    for _ in range(data.draw(st.integers(1, 6))):
        # A header is 512 bytes, with its size at 124 and its type at 156.
        place = data.draw(
            st.sampled_from([0, 4, 10, 124, 156, 636, 668]) | st.integers(0, len(changed))
        )
        new = data.draw(CHANGES)
        changed[place : place + len(new)] = new

    check_archive(tmp_path, bytes(changed) if compress_first else gzip.compress(changed, 1))


NAMES = st.sampled_from(["cifar-100-python/train", "./cifar-100-python/test", "../escaped", "/a"])
KINDS = st.sampled_from([*(bytes([code]) for code in b"01234567LKxgSV"), b"\0", b"?"])
SIZES = st.integers(0, 2000) | st.sampled_from([2**20, 2**33, 2**62])
PAX = st.sampled_from(
    [b"20 size=-9999999999\n", b"13 size=1e9\n", b"9 path=\0\n", b"99999999999 a=b\n"]
)


@pytest.mark.fuzz
@given(st.lists(st.tuples(NAMES | st.text(max_size=20), SIZES, KINDS, st.binary() | PAX)))
def test_any_members_are_read_or_refused(tmp_path: Path, members) -> None:
    content = b"".join(
        header(name, size, kind) + stored.ljust(-(-len(stored) // 512) * 512, b"\0")
        for name, size, kind, stored in members
    )

    check_archive(tmp_path, gzip.compress(content, 1))

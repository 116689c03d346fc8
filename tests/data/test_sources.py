import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cifar_keras.data import load, official, sources
from cifar_keras.data.published import archives
from cifar_keras.data.published.layouts import (
    CIFAR10_BINARY,
    CIFAR10_PYTHON,
    CIFAR100_BINARY,
    CIFAR100_PYTHON,
    Layout,
)
from cifar_keras.errors import DataError

ARCHIVE = "cifar-10-python.tar.gz"


@pytest.fixture
def publisher(fake, pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that acts as the publisher's site, with a fake CIFAR-10 as the official."""
    archive = pack(fake(tmp_path / "made", CIFAR10_PYTHON), tmp_path / "site" / ARCHIVE)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(official.SHA256, ARCHIVE, digest)
    monkeypatch.setitem(official.SIZE, ARCHIVE, archive.stat().st_size)
    monkeypatch.setattr(official, "BASE_URL", f"{archive.parent.as_uri()}/")
    monkeypatch.setattr(official, "MIRRORS", {})
    return archive.parent


def test_the_data_dir_may_be_the_layouts_own_folder(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR100_BINARY)

    dataset = load("cifar100", folder, download=False)

    assert dataset.provenance["layout"] == "cifar-100-binary"


def test_the_layouts_own_folder_may_have_another_name(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON).rename(tmp_path / "mine")

    assert load("cifar10", folder, download=False).provenance["source"] == "mine"


def test_the_python_layout_is_preferred_to_the_binary_and_a_folder_to_an_archive(
    fake, pack, tmp_path: Path
) -> None:
    binary = fake(tmp_path, CIFAR10_BINARY)
    python = fake(tmp_path, CIFAR10_PYTHON)
    pack(python, tmp_path / ARCHIVE)

    assert sources.fetch("cifar10", tmp_path) == python
    python.rename(tmp_path / "away")
    assert sources.fetch("cifar10", tmp_path) == binary
    binary.rename(tmp_path / "away2")
    assert sources.fetch("cifar10", tmp_path) == tmp_path / ARCHIVE


def test_folders_are_searched_in_the_documented_order(
    fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_KERAS_DATA", str(tmp_path / "env"))
    given = fake(tmp_path / "given", CIFAR10_PYTHON)
    named = fake(tmp_path / "env", CIFAR10_PYTHON)
    cached = fake(tmp_path / "cache" / "cifar_keras", CIFAR10_PYTHON)
    parent = tmp_path / "keras" / "datasets" / "cifar-10-batches-py-target"
    kept_by_keras = fake(parent, CIFAR10_PYTHON)
    found = []

    for folder in (given, named, cached, kept_by_keras):
        found.append(sources.fetch("cifar10", tmp_path / "given"))
        folder.rename(folder.with_name("away"))

    assert found == [given, named, cached, kept_by_keras]


@pytest.mark.parametrize("name", ["cifar-100-python.tar.gz", "cifar-100-python-target_archive"])
def test_archives_kept_by_keras_are_found(name: str, fake, pack, tmp_path: Path) -> None:
    archive = pack(fake(tmp_path, CIFAR100_PYTHON), tmp_path / "keras" / "datasets" / name)

    assert sources.fetch("cifar100") == archive


def test_a_broken_copy_is_not_passed_over_for_the_next(fake, tmp_path: Path) -> None:
    (fake(tmp_path / "given", CIFAR10_PYTHON) / "data_batch_4").unlink()
    fake(tmp_path / "cache" / "cifar_keras", CIFAR10_PYTHON)

    with pytest.raises(DataError, match="data_batch_4: cannot be read"):
        load("cifar10", tmp_path / "given")


def test_a_data_dir_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must exist; create or correct it. Received: .*nowhere"):
        load("cifar10", tmp_path / "nowhere")


def test_nothing_found_and_no_download_is_an_error_and_never_synthetic(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run `cifar-keras data fetch cifar10`, or put cifar-10-"):
        load("cifar10", tmp_path, download=False)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="known are cifar10, cifar100, synthetic10, synthetic100"):
        load("cifar11")


@pytest.mark.parametrize("command", [sources.fetch, sources.verify])
def test_synthetic_sets_have_nothing_to_fetch_or_verify(command) -> None:
    with pytest.raises(DataError, match="synthetic10 is generated from a seed and has no files"):
        command("synthetic10")


def test_an_unofficial_copy_is_used_with_one_warning(
    fake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake(tmp_path, CIFAR100_PYTHON)

    with caplog.at_level(logging.WARNING, "cifar_keras"):
        dataset = load("cifar100", tmp_path)

    assert dataset.provenance["official"] is False
    (message,) = caplog.messages
    assert "(train, test, meta); its contents differ from the official ones" in message


def test_the_warning_says_when_the_contents_are_official(
    fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake(tmp_path, CIFAR100_PYTHON)
    contents = load("cifar100", tmp_path).provenance["content_sha256"]
    caplog.clear()
    monkeypatch.setitem(official.CONTENT_SHA256, "cifar100", contents)

    dataset = load("cifar100", tmp_path)

    assert dataset.provenance["content_official"] is True
    (message,) = caplog.messages
    assert "official images and labels in another order or packing" in message


def test_provenance_names_no_path_of_the_machine(fake, tmp_path: Path) -> None:
    fake(tmp_path, CIFAR10_PYTHON)

    assert str(tmp_path) not in str(load("cifar10", tmp_path).provenance)


def test_verify_reports_the_archive_and_its_members(publisher: Path) -> None:
    reports = sources.verify("cifar10", publisher)

    assert [report.file for report in reports][:2] == [ARCHIVE, "batches.meta"]
    assert reports[0].note.endswith("differs from the official c58f30108f718f92721af3b95e74349a")


def test_verify_downloads_nothing(publisher: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cifar10 is not in "):
        sources.verify("cifar10")

    assert not (tmp_path / "cache").exists()


def test_what_is_not_found_is_downloaded_to_the_cache_and_read(
    publisher: Path, tmp_path: Path
) -> None:
    dataset = load("cifar10")

    assert dataset.provenance["source"] == ARCHIVE
    assert [path.name for path in (tmp_path / "cache" / "cifar_keras").iterdir()] == [ARCHIVE]


def test_a_download_goes_to_the_data_dir_if_there_is_one(publisher: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    assert sources.fetch("cifar10", tmp_path / "mine") == tmp_path / "mine" / ARCHIVE


def test_a_folder_that_cannot_be_made_is_an_error(
    publisher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIFAR_KERAS_DATA", str(tmp_path / "file" / "below"))

    with pytest.raises(DataError, match=r"cannot write .* \(Not a directory\); name a writable"):
        sources.fetch("cifar10")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Layout], None]:
    """Make the contents of a fake count as the official ones."""

    def know(folder: Path, layout: Layout) -> None:
        dataset, _ = archives.read(folder, layout)
        contents = dataset.provenance["content_sha256"]
        monkeypatch.setitem(official.CONTENT_SHA256, layout.dataset, contents)

    return know


@pytest.mark.parametrize("layout", [CIFAR10_PYTHON, CIFAR100_BINARY], ids=lambda each: each.name)
@pytest.mark.parametrize("given", ["itself", "parent", "renamed"])
def test_a_folder_is_copied_from_anywhere(
    given: str, layout: Layout, fake, known, tmp_path: Path
) -> None:
    folder = fake(tmp_path / "given", layout)
    (folder / "other").write_text("")
    known(folder, layout)

    source = {"itself": folder, "parent": folder.parent}.get(given)
    source = source or folder.rename(tmp_path / given)

    copied = sources.copy(layout.dataset, source)

    assert copied == tmp_path / "cache" / "cifar_keras" / layout.name
    assert sources.fetch(layout.dataset) == copied
    assert sorted(path.name for path in copied.iterdir()) == sorted(layout.files)
    assert [path.name for path in copied.parent.iterdir()] == [layout.name]


@pytest.mark.parametrize("layout", [CIFAR10_PYTHON, CIFAR10_BINARY], ids=lambda each: each.name)
@pytest.mark.parametrize("name", ["download(1)", "cifar-10-python.tar.gz", "test_batch"])
def test_an_archive_of_any_name_is_copied_under_its_own(
    name: str, layout: Layout, fake, pack, known, tmp_path: Path
) -> None:
    folder = fake(tmp_path / "made", layout)
    known(folder, layout)
    archive = pack(folder, tmp_path / "given" / name)
    (tmp_path / "to").mkdir()

    copied = sources.copy("cifar10", archive, tmp_path / "to")

    assert copied == tmp_path / "to" / layout.archive
    assert copied.read_bytes() == archive.read_bytes()
    assert sources.fetch("cifar10", tmp_path / "to") == copied


def test_what_does_not_hold_the_official_contents_is_not_copied(fake, tmp_path: Path) -> None:
    folder = fake(tmp_path, CIFAR10_PYTHON)

    with pytest.raises(DataError, match="does not hold the official images and labels of cifar10"):
        sources.copy("cifar10", folder)

    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, Path.mkdir])
def test_what_is_no_data_set_at_all_is_not_copied(make, tmp_path: Path) -> None:
    make(tmp_path / "given")

    with pytest.raises(DataError):
        sources.copy("cifar10", tmp_path / "given")

    assert not (tmp_path / "cache").exists()


def test_a_copy_replaces_nothing(fake, known, tmp_path: Path) -> None:
    folder = fake(tmp_path / "given", CIFAR10_PYTHON)
    known(folder, CIFAR10_PYTHON)
    there = fake(tmp_path / "cache" / "cifar_keras", CIFAR10_BINARY)

    with pytest.raises(DataError, match=f"{there} already exists; remove it"):
        sources.copy("cifar10", folder)


def test_a_copy_that_fails_leaves_nothing_behind(
    fake, known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake(tmp_path / "given", CIFAR10_PYTHON)
    known(folder, CIFAR10_PYTHON)
    (tmp_path / "to").mkdir()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(DataError, match=r"cannot copy to .* \(No space left on device\)"):
        sources.copy("cifar10", folder, tmp_path / "to")

    assert list((tmp_path / "to").iterdir()) == []

import functools
import hashlib
import http.server
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifar_keras.data import load, official, sources
from cifar_keras.data.layouts import (
    CIFAR10_BINARY,
    CIFAR10_PYTHON,
    CIFAR100_BINARY,
    CIFAR100_PYTHON,
)
from cifar_keras.errors import DataError

ARCHIVE = "cifar-10-python.tar.gz"


@pytest.fixture
def publisher(fake, pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plays the publisher's site and holds a fake CIFAR-10, known as official."""
    archive = pack(fake(tmp_path / "made", CIFAR10_PYTHON), tmp_path / "site" / ARCHIVE)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(official.SHA256, ARCHIVE, digest)
    monkeypatch.setattr(official, "BASE_URL", f"{archive.parent.as_uri()}/")
    return archive.parent


@pytest.fixture
def server(publisher: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same over HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=publisher)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        monkeypatch.setattr(official, "BASE_URL", f"http://127.0.0.1:{running.server_port}/")
        yield
        running.shutdown()
        thread.join()


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
    with pytest.raises(DataError, match=r"must exist: make it or correct it. Received: .*nowhere"):
        load("cifar10", tmp_path / "nowhere")


def test_nothing_found_and_no_download_is_an_error_and_never_synthetic(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run `cifar-keras data fetch cifar10`, or put cifar-10-"):
        load("cifar10", tmp_path, download=False)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="known are cifar10, cifar100, synthetic10, synthetic100"):
        load("cifar11")


@pytest.mark.parametrize("command", [sources.fetch, sources.verify])
def test_synthetic_sets_have_nothing_to_fetch_or_verify(command) -> None:
    with pytest.raises(DataError, match="synthetic10 is drawn from a seed: it has no files"):
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
    with pytest.raises(DataError, match="cifar10 is in none of"):
        sources.verify("cifar10")

    assert not (tmp_path / "cache").exists()


def test_what_is_not_found_is_downloaded_to_the_cache_and_read(
    server: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = load("cifar10")

    assert dataset.provenance["source"] == ARCHIVE
    assert [path.name for path in (tmp_path / "cache" / "cifar_keras").iterdir()] == [ARCHIVE]
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("downloading http://127.0.0.1:")
    assert last.startswith(f"downloaded {ARCHIVE}: ")


def test_a_download_goes_to_the_data_dir_if_there_is_one(publisher: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    assert sources.fetch("cifar10", tmp_path / "mine") == tmp_path / "mine" / ARCHIVE


def test_a_terminal_sees_the_progress_of_a_download(
    publisher: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    sources.fetch("cifar10")

    assert "(100 %)\n" in capsys.readouterr().err


def test_a_download_with_another_hash_leaves_nothing_behind(
    publisher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(official.SHA256, ARCHIVE, "00")

    with pytest.raises(DataError, match="not the official file, or cut short"):
        sources.fetch("cifar10")

    assert list((tmp_path / "cache" / "cifar_keras").iterdir()) == []


@pytest.mark.parametrize("base", ["http://127.0.0.1:9/", "file:///nowhere/"])
def test_an_unreachable_publisher_is_an_error_with_the_remedy(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "BASE_URL", base)

    with pytest.raises(DataError, match=r"get it on another machine and put it there") as caught:
        load("cifar10")

    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "cifar_keras").iterdir()) == []


def test_an_interrupted_download_leaves_nothing_behind(
    publisher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)

    with pytest.raises(KeyboardInterrupt):
        sources.fetch("cifar10")

    assert list((tmp_path / "cache" / "cifar_keras").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error(
    publisher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CIFAR_KERAS_DATA", str(tmp_path / "file" / "below"))

    with pytest.raises(DataError, match="cannot download"):
        sources.fetch("cifar10")

"""Downloads from a local server that stalls, cuts, lies, never ends or has a different file."""

import fcntl
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import answer, tree, within
from hypothesis import given
from hypothesis import strategies as st
from source_server import ARCHIVE, CONTENT, HALF

from cifar_keras.data import official
from cifar_keras.data.published import download
from cifar_keras.data.published.download import download_archive
from cifar_keras.errors import DataError


def check_whole(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == [ARCHIVE]
    assert (folder / ARCHIVE).read_bytes() == CONTENT


BAD = {
    "silent": "no data for 0.3 s",
    "longer": f"announces 40000000000 bytes, not {len(CONTENT)}",
    "without_end": "sends more than the official 128,000 bytes",
    "other_file": "sends a different file",
    "page": "ends after 42 of 128,000 bytes",
    "missing": "HTTP error 404",
    "moved_without_end": "HTTP error 302",
    "moved_to_a_file": "HTTP error 302",
    "cuts_without_parts": "ends after 64,000 of 128,000 bytes",
    "no_http": "",
    "bad_chunks": "",
}


@pytest.mark.parametrize("source", BAD)
def test_a_source_without_the_file_is_one_line_with_the_remedy(
    source: str, sources, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MOST_TRIES", 2)
    sources(source)

    line = answer(lambda: download_archive(ARCHIVE, tmp_path))

    assert line.startswith(
        f"cannot download {ARCHIVE}: 127.0.0.1:{server.server_port}: {BAD[source]}"
    )
    assert line.endswith(
        "`cifar-keras data fetch --from FILE`, or give another address with --mirror URL"
    )
    assert not (tmp_path / ARCHIVE).exists()


@pytest.mark.parametrize("source", BAD)
def test_after_it_the_next_source_is_taken(source: str, sources, tmp_path: Path) -> None:
    sources(source, "good")

    assert download_archive(ARCHIVE, tmp_path) == tmp_path / ARCHIVE

    check_whole(tmp_path)


@pytest.mark.parametrize(
    "source", ["good", "no_parts", "length_in_words", "negative_length", "moved"]
)
def test_a_source_with_the_file_is_enough(source: str, sources, tmp_path: Path) -> None:
    sources(source)

    with within():
        download_archive(ARCHIVE, tmp_path / "made")

    check_whole(tmp_path / "made")


def test_a_source_that_cuts_is_asked_for_the_rest(sources, server, tmp_path: Path) -> None:
    sources("cuts")

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert [asked for _, asked in server.requests] == [
        *(None, "bytes=40000-", "bytes=80000-", "bytes=120000-")
    ]


def test_the_next_source_goes_on_where_the_last_ended(sources, server, tmp_path: Path) -> None:
    sources("stalls", "good")

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert server.requests == [("stalls", None), ("good", f"bytes={HALF}-")]


def test_what_an_interrupted_download_has_left_is_kept_and_used(
    sources, server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources("good")
    (tmp_path / f".{ARCHIVE}.part").write_bytes(CONTENT[:1000])

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert server.requests == [("good", "bytes=1000-")]
    assert f"/{ARCHIVE}, resuming at byte 1,000\n" in capsys.readouterr().err


def test_an_interrupted_download_leaves_what_has_arrived(
    sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources("good")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)

    with pytest.raises(KeyboardInterrupt):
        download_archive(ARCHIVE, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [f".{ARCHIVE}.part"]


@pytest.mark.parametrize("source", ["no_parts", "wrong_part"])
def test_a_source_that_gives_no_parts_gives_the_whole_or_nothing(
    source: str, sources, tmp_path: Path
) -> None:
    sources(source, "good")
    (tmp_path / f".{ARCHIVE}.part").write_bytes(CONTENT[:1000])

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)


@pytest.mark.parametrize(
    "left", [b"x" * 1000, bytes(len(CONTENT)), bytes(len(CONTENT) + 1), CONTENT[:-1] + b"x"]
)
def test_wrong_bytes_that_were_left_are_replaced(left: bytes, sources, tmp_path: Path) -> None:
    sources("good")
    (tmp_path / f".{ARCHIVE}.part").write_bytes(left)

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)


def test_wrong_bytes_of_one_source_do_not_condemn_the_next(sources, server, tmp_path: Path) -> None:
    sources("other_half", "good")

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert [source for source, _ in server.requests] == ["other_half", "good", "good"]


def test_a_download_with_another_hash_leaves_nothing_behind(sources, tmp_path: Path) -> None:
    sources("other_file")

    with pytest.raises(DataError, match="sends a different file"):
        download_archive(ARCHIVE, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_of_a_slow_source_another_goes_on(
    sources, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "HURRIED", (500_000, 0.2))
    sources("slow", "good")

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert [source for source, _ in server.requests] == ["slow", "good"]


def test_where_all_are_slow_one_is_waited_for(
    sources, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "HURRIED", (500_000, 0.2))
    sources("slow", "missing")

    download_archive(ARCHIVE, tmp_path)

    check_whole(tmp_path)
    assert [source for source, _ in server.requests] == ["slow", "missing", "slow"]


def test_a_source_that_is_practically_stalled_is_given_up(
    sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENT", (500_000, 0.2))
    monkeypatch.setattr(download, "MOST_TRIES", 2)
    sources("slow")

    assert "sends only " in answer(lambda: download_archive(ARCHIVE, tmp_path))


def test_the_users_mirrors_come_first_then_the_environments(
    sources, server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources("good")
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("CIFAR_KERAS_MIRROR", f"{base}/silent {base}/longer/")

    download_archive(ARCHIVE, tmp_path, [f"{base}/missing/any/{ARCHIVE}?download=1"])

    assert [source for source, _ in server.requests] == ["missing", "silent", "longer", "good"]


def test_a_mirror_may_be_a_folder_of_this_machine(sources, tmp_path: Path) -> None:
    sources("missing")
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / ARCHIVE).write_bytes(CONTENT)

    download_archive(ARCHIVE, tmp_path / "to", [(tmp_path / "a b").as_uri()])

    check_whole(tmp_path / "to")


@pytest.mark.parametrize("mirror", ["zenodo.org/x", "ftp://a/b", "https://", "", "http://[::1"])
def test_a_mirror_that_is_no_address_is_refused(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not an address; write https://HOST/FOLDER"):
        download_archive(ARCHIVE, tmp_path, [mirror])


def test_a_log_has_a_line_at_each_end(
    sources, server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources("good")

    download_archive(ARCHIVE, tmp_path)

    first, last = capsys.readouterr().err.splitlines()
    assert first == f"downloading http://127.0.0.1:{server.server_port}/good/{ARCHIVE}"
    assert last == f"downloaded {ARCHIVE}: 128,000 bytes in 0 s"


def test_a_terminal_sees_rate_and_time_left(
    sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    sources("slow")

    download_archive(ARCHIVE, tmp_path)

    shown = capsys.readouterr().err
    assert " of 0 MB (" in shown
    assert " MB/s, 1 s left" in shown
    assert f"downloaded {ARCHIVE}: 128,000 bytes in " in shown


def test_a_folder_without_space_is_told(sources, tmp_path: Path) -> None:
    sources("good")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        line = answer(lambda: download_archive(ARCHIVE, tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert line == (
        f"cannot write {tmp_path}/.{ARCHIVE}.part (File too large); name a writable folder with "
        "space for it with --data-dir or CIFAR_KERAS_DATA"
    )


def test_a_second_process_waits_for_the_first_and_takes_what_it_has_got(
    sources, server, tmp_path: Path
) -> None:
    sources("good")
    partial = tmp_path / f".{ARCHIVE}.part"

    with partial.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = threading.Thread(target=download_archive, args=(ARCHIVE, tmp_path))
        waiting.start()
        time.sleep(0.2)
        assert waiting.is_alive()
        file.write(CONTENT)
        file.flush()
        os.replace(partial, tmp_path / ARCHIVE)
    waiting.join()

    check_whole(tmp_path)
    assert server.requests == []


def test_fetch_says_in_one_line_that_nothing_could_be_downloaded(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*(sys.executable, "-m", "cifar_keras", "data", "fetch", "cifar10", "--mirror", "nowhere")],
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("cifar-keras: error: mirror 'nowhere' is not an address; ")
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def raw(sources, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Start a source that responds with the last bytes in the list."""
    answers = [b""]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    if not answers[-1]:
                        return
                    connection.recv(2**16)
                    connection.sendall(answers[-1])

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        monkeypatch.setattr(official, "BASE_URL", f"http://127.0.0.1:{port}/")
        monkeypatch.setattr(official, "MIRRORS", {})
        yield answers
        answers.append(b"")
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join()


PIECES = st.sampled_from(
    [
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 206 \r\n",
            b"HTTP/1.1 302 Found\r\n",
            b"HTTP/9 -1\r\n",
        ),
        *(b"Content-Length: 128000\r\n", b"Content-Length: -1\r\n", b"Content-Length: \xb2\r\n"),
        *(b"Content-Range: bytes 0-/\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"fff\r\n"),
        *(b"Location: http://[::1\r\n", b"Location: \xff\r\n", b"Location: //\r\n", b"-1\r\n"),
        *(b"Content-Length: " + b"9" * 5000 + b"\r\n", b"A: " + b"a" * 70_000 + b"\r\n", CONTENT),
    ]
) | st.binary(min_size=1, max_size=20)


@pytest.mark.fuzz
@given(st.lists(PIECES, min_size=1, max_size=8))
def test_any_answer_of_a_server_is_the_file_or_one_clear_line(raw, tmp_path: Path, pieces) -> None:
    raw.append(b"HTTP/1.1 200 OK\r\n" + b"".join(pieces))
    folder = tmp_path / "to"

    answer(lambda: download_archive(ARCHIVE, folder))

    left = {name: size for name, size in tree(folder)}
    assert set(left) <= {str(folder / ARCHIVE), str(folder / f".{ARCHIVE}.part")}
    assert all(size <= len(CONTENT) for size in left.values())
    for name in left:
        Path(name).unlink()

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator

import pytest
from source_server import ARCHIVE, CONTENT, Handler

from cifar_keras.data import official
from cifar_keras.data.published import download


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        running.stop = threading.Event()
        running.handle_error = lambda *_: None
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stop.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def sources(
    server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Define the available sources, the publisher first."""
    monkeypatch.setitem(official.SHA256, ARCHIVE, hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(official.SIZE, ARCHIVE, len(CONTENT))
    monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
    monkeypatch.delenv("CIFAR_KERAS_MIRROR", raising=False)

    def name(publisher: str, *mirrors: str) -> None:
        base = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(official, "BASE_URL", f"{base}/{publisher}/")
        there = tuple(f"{base}/{mirror}/{ARCHIVE}" for mirror in mirrors)
        monkeypatch.setattr(official, "MIRRORS", {ARCHIVE: there})

    return name

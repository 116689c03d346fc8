"""A local server whose sources stall, cut, lie, never end or have a different file."""

import hashlib
import http.server

ARCHIVE = "cifar-10-python.tar.gz"
CONTENT = hashlib.sha256(b"seed").digest() * 4000
HALF = len(CONTENT) // 2


class Handler(http.server.BaseHTTPRequestHandler):
    """A server with one source per folder: `/cuts/...` is answered by the method `cuts`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        source = self.path.split("/")[1]
        self.server.requests.append((source, self.headers.get("Range")))
        getattr(self, source)()

    def log_message(self, *_: object) -> None:
        pass

    def begin(self, length: object = len(CONTENT), code: int = 200, **headers: str) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.wfile.flush()

    def first(self) -> int:
        """Send the response's header; return the first byte that is requested."""
        asked = self.headers.get("Range")
        if asked is None:
            self.begin()
            return 0
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        size = len(CONTENT)
        part = f"bytes {first}-{size - 1}/{size}"
        self.begin(size - first, 206, Content_Range=part)
        return first

    def good(self) -> None:
        self.send(CONTENT[self.first() :])

    def no_parts(self) -> None:
        self.begin()
        self.send(CONTENT)

    def wrong_part(self) -> None:
        self.begin(HALF, 206, Content_Range=f"bytes 0-{HALF - 1}/{len(CONTENT)}")
        self.send(CONTENT[:HALF])

    def stalls(self) -> None:
        first = self.first()
        self.send(CONTENT[first : first + HALF])
        self.server.stop.wait(20)

    def silent(self) -> None:
        self.server.stop.wait(20)

    def cuts(self) -> None:
        first = self.first()
        self.send(CONTENT[first : first + 40_000])

    def cuts_without_parts(self) -> None:
        self.begin()
        self.send(CONTENT[:HALF])

    def slow(self) -> None:
        for place in range(self.first(), len(CONTENT), 1000):
            self.send(CONTENT[place : place + 1000])
            if self.server.stop.wait(0.01):
                return

    def length_in_words(self) -> None:
        self.begin("abc")
        self.send(CONTENT)

    def negative_length(self) -> None:
        self.begin(-5)
        self.send(CONTENT)

    def longer(self) -> None:
        self.begin(40 * 10**9)
        self.send(CONTENT)

    def without_end(self) -> None:
        self.begin(None)
        while not self.server.stop.is_set():
            self.send(bytes(2**16))

    def other_file(self) -> None:
        self.begin()
        self.send(bytes(len(CONTENT)))

    def other_half(self) -> None:
        self.begin()
        self.send(bytes(HALF))

    def page(self) -> None:
        self.begin(None)
        self.send(b"<html>Please log in to this network</html>")

    def missing(self) -> None:
        self.send_error(404, "Not\tFound \x1b[2J")

    def moved(self) -> None:
        self.begin(0, 302, Location=f"/good/{ARCHIVE}")

    def moved_without_end(self) -> None:
        self.begin(0, 302, Location=self.path)

    def moved_to_a_file(self) -> None:
        self.begin(0, 302, Location="file:///etc/passwd")

    def no_http(self) -> None:
        self.send(b"SSH-2.0-OpenSSH_9.6\r\n")

    def bad_chunks(self) -> None:
        self.begin(None, Transfer_Encoding="chunked")
        self.send(b"zz\r\nabc\r\n")

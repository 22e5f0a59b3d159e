"""A proxy that notes every API request that goes through it: `http_proxy` points haos at it, and that is all."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TIMEOUT_S = 60.0
OF_THE_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"}


class Counter:
    """What was asked, as "METHOD path", in the order of the answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a client through the proxy."""
        return {"http_proxy": self.url, "no_proxy": ""}


@contextmanager
def counting() -> Iterator[Counter]:
    """Have such a proxy on the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    counter = Counter(f"http://127.0.0.1:{server.server_address[1]}")
    server.counter = counter  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, name="counting", daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def _pass_on(self) -> None:
        where = urlsplit(self.path)
        path = where._replace(scheme="", netloc="").geturl()
        length = int(self.headers.get("Content-Length", 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
        connection = http.client.HTTPConnection(where.netloc, timeout=TIMEOUT_S)
        try:
            connection.request(self.command, path, self.rfile.read(length) if length else None, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        self.server.counter.requests.append(f"{self.command} {where.path}")  # type: ignore[attr-defined]
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""

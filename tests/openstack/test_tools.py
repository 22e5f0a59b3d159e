"""The tools of these tests, for which no cloud is needed: the proxy that counts, the states that are compared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.openstack.counting import counting
from tests.openstack.running import differences


class _Echo(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(412)
        self.send_header("X-Path", self.path)
        self.send_header("X-If-Match", self.headers["If-Match"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_proxy_passes_all_of_a_request_on_and_notes_it(service: str) -> None:
    with counting() as counter:
        proxies = {"http": counter.environment["http_proxy"]}
        url, headers = f"{service}/ports/x?fields=id", {"If-Match": "revision_number=4"}
        answer = requests.put(url, data=b"{}", headers=headers, proxies=proxies, timeout=10)
    assert (answer.status_code, answer.content) == (412, b"{}")
    assert answer.headers["X-Path"] == "/ports/x?fields=id"
    assert answer.headers["X-If-Match"] == "revision_number=4"
    assert counter.requests == ["PUT /ports/x"]


def test_each_place_that_differs_is_named() -> None:
    before = {"ports": {"a": {"name": "web", "pairs": []}, "b": {}}}
    after = {"ports": {"a": {"name": "web", "pairs": ["x"]}, "b": {}, "c": {"name": "new"}}}
    assert differences(before, before) == []
    assert differences(before, after) == ["/ports/a/pairs: [] -> ['x']", "/ports/c: None -> {'name': 'new'}"]

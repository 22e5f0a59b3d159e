"""The listener: one TCP port, HTTP/1.1 with keep-alive, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from haos.lab.api.routing import Request, Response

App = Callable[[Request], Response | None]
"""Answers a request; None drops the connection without an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # the whole answer leaves in one segment
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.connected(self.connection)

    def finish(self) -> None:
        self.server.disconnected(self.connection)
        super().finish()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.app(Request(self.command, self.path, headers, raw, self.client_address[0]))
        if response is None:
            self.close_connection = True
            return
        body = response.encoded()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if body and "Content-Type" not in response.headers:
            self.send_header("Content-Type", "text/plain" if isinstance(response.body, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the cloud keeps its own access log."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that hang up; anything else is a bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """A listening cloud."""

    def __init__(self, app: App, host: str, port: int, *, on_close: Callable[[], None] = lambda: None) -> None:
        self._on_close = on_close
        self._listener = _Listener((host, port), app)
        self._thread = threading.Thread(target=self._serve, name="lab-api", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._listener.serve_forever(poll_interval=0.05)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._listener.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        """Stop listening and hang up on every client."""
        self._listener.shutdown()
        self._thread.join(timeout=5)
        self._listener.server_close()
        self._listener.hang_up()
        self._on_close()

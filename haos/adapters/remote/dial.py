"""Connections to the service behind the VIP that nobody waits for, and the one poll that wakes them all.

Streamed to the observer along with probe.py: see there for what may be used here.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from haos.adapters.remote.wire import Target

CONNECT_S = 0.9  # so long a connection may be on its way: the kernel sends a lost SYN anew after a second
REQUEST_S = 2.0  # so long, from the beginning, the answer to a request
SO_LINGER_RESET = struct.pack("ii", 1, 0)
TLS_WANTS = {2: select.POLLIN, 3: select.POLLOUT}  # errno of ssl.SSLWantReadError, ssl.SSLWantWriteError
WORDS = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.ETIMEDOUT: "timed out"}
HEAD_BYTES = 4096
NO_ANSWER = "no answer"

T = TypeVar("T")


class Request:
    """What is asked over a connection: nothing but the connection itself, or a page over HTTP or HTTPS."""

    def __init__(self, words: str) -> None:
        """`words` are KIND PORT HOST PATH, the last two of http and https alone. OSError where there is no TLS."""
        self.kind, port, self.host, path = words.split(" ", 3)
        self.port = int(port)
        lines = ("GET " + path + " HTTP/1.1", "Host: " + self.host, "User-Agent: haos", "Accept: */*")
        self.text = "\r\n".join((*lines, "Connection: close", "", "")).encode("ascii")
        self.tls = tls_context() if self.kind == "https" else None

    def name(self) -> str:
        """Return the host's name alone."""
        name, colon, port = self.host.rpartition(":")
        return (name if colon and port.isdigit() else self.host).strip("[]")


def tls_context() -> Any:
    """Return a TLS context that takes any certificate: what is asked is whether it answers, not who it is."""
    try:
        import ssl
    except ImportError:
        raise OSError("the Python on the observer has no TLS") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Dial:
    """One connection on its way; it is over once it is answered, or has failed with a reason."""

    def __init__(self, target: Target, port: int, request: "Request | None" = None) -> None:
        self.began_s = time.monotonic()
        self.until_s = self.began_s + CONNECT_S
        self.socket = socket.socket(target.family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        # Closed by a reset: neither side keeps a dead connection in mind, however many there are.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SO_LINGER_RESET)
        self.wants = 0
        self.over = False
        self.failure = ""
        self.course = self.go((target.text, port), request)
        self.step()

    def step(self) -> None:
        """Go on as far as it goes without waiting; `wants` is then what must be polled for."""
        try:
            self.wants = next(self.course)
        except StopIteration:
            self.over = True
        except OSError as error:
            self.over, self.failure = True, reason(error)

    def go(self, address: "tuple[str, int]", request: "Request | None") -> "Generator[int, None, None]":
        """Connect, and ask."""
        code = self.socket.connect_ex(address)
        if code == errno.EINPROGRESS:
            yield select.POLLOUT
            code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        if request is not None and request.kind != "tcp":
            self.until_s = self.began_s + REQUEST_S
            yield from self.ask(request)

    def ask(self, request: Request) -> "Generator[int, None, None]":
        """Send the request and read the first line of the answer."""
        if request.tls is not None:
            self.socket = tls = request.tls.wrap_socket(
                self.socket, server_hostname=request.name(), do_handshake_on_connect=False
            )
            yield from patiently(select.POLLIN, tls.do_handshake)
        text = request.text
        while text:
            sent = yield from patiently(select.POLLOUT, self.socket.send, text)
            text = text[sent:]
        head = b""
        while b"\n" not in head and len(head) < HEAD_BYTES:
            data = yield from patiently(select.POLLIN, self.socket.recv, HEAD_BYTES)
            if not data:
                break
            head += data
        judge(head)

    def close(self) -> None:
        """Give it up, and the circle of references with it: nobody collects garbage here."""
        self.course.close()
        self.socket.close()


def patiently(wants: int, call: "Callable[..., T]", *arguments: Any) -> "Generator[int, None, T]":
    """Repeat a call until it need not wait any more; return what it does."""
    while True:
        try:
            return call(*arguments)
        except BlockingIOError:
            yield wants
        except OSError as error:
            if error.errno not in TLS_WANTS:
                raise
            yield TLS_WANTS[error.errno]


def judge(head: bytes) -> None:
    """Raise OSError unless an answer begins as that of a service which is well."""
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("closed without an answer" if not head else "the answer is no HTTP")
    if int(words[1]) >= 400:
        raise OSError("HTTP " + words[1].decode())


def reason(error: OSError) -> str:
    """Say in a few words why a connection failed."""
    if error.errno in WORDS:
        return WORDS[error.errno]
    # ssl.SSLError has a reason of its own.
    said = str(getattr(error, "reason", None) or error.strerror or error)
    return " ".join(said.lower().replace("_", " ").split()) if error.errno else said


class Waiting:
    """Who waits for which file descriptor; one thread's."""

    def __init__(self) -> None:
        self.poll = select.poll()
        self.callbacks: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, wants: int, callback: "Callable[[], None]") -> None:
        """Call back each time the descriptor is ready, until it is forgotten."""
        self.poll.register(fd, wants)
        self.callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        """Watch it no more; before it is closed."""
        if self.callbacks.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def wait(self, seconds: float) -> None:
        """Wait so long at most, and call those whose descriptors are ready."""
        for fd, _ in self.poll.poll(max(0, int(seconds * 1000 + 0.999))):
            callback = self.callbacks.get(fd)
            if callback is not None:
                callback()

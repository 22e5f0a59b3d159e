"""Floating listeners against a plain server on loopback; the router's helper runs here without a namespace."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address

import pytest

from haos.lab import router
from haos.lab.errors import LabError
from haos.lab.floating import FloatingListeners
from haos.lab.model import FloatingAddress

FIXED = IPv4Address("127.0.0.1")
FLOATING = IPv4Address("127.200.250.7")
ADDRESS = FloatingAddress(FLOATING, FIXED, "net")
TIMEOUT_S = 5.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening server inside."""
    with socket.create_server((str(FIXED), 0)) as listening:
        listening.settimeout(TIMEOUT_S)
        yield listening


@pytest.fixture
def listeners(server: socket.socket) -> Iterator[FloatingListeners]:
    """Listeners that lead to the server."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    helper = threading.Thread(target=router.serve, args=(theirs,))
    helper.start()
    made = FloatingListeners(ours, free_port(), inside_port=server.getsockname()[1])
    yield made
    made.close()
    ours.close()
    helper.join(TIMEOUT_S)
    theirs.close()


def free_port() -> int:
    with socket.create_server((str(FLOATING), 0)) as trial:
        port: int = trial.getsockname()[1]
        return port


def dial(listeners: FloatingListeners) -> socket.socket:
    return socket.create_connection((str(FLOATING), listeners.port), TIMEOUT_S)


def received(connection: socket.socket) -> bytes:
    connection.settimeout(TIMEOUT_S)
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_each_direction_ends_on_its_own(listeners: FloatingListeners, server: socket.socket) -> None:
    listeners.apply((ADDRESS,))
    with dial(listeners) as outside:
        outside.sendall(b"question" * 50_000)
        outside.shutdown(socket.SHUT_WR)
        inside, _ = server.accept()
        with inside:
            assert received(inside) == b"question" * 50_000
            inside.sendall(b"answer")
            inside.shutdown(socket.SHUT_WR)
            assert received(outside) == b"answer"


def test_reset_where_nobody_listens_inside(listeners: FloatingListeners, server: socket.socket) -> None:
    server.close()
    listeners.apply((ADDRESS,))
    with dial(listeners) as outside, pytest.raises(ConnectionResetError):
        received(outside)


def test_address_that_is_taken_away_is_no_longer_listened_on(
    listeners: FloatingListeners, server: socket.socket
) -> None:
    listeners.apply((ADDRESS,))
    with dial(listeners) as outside:
        inside, _ = server.accept()
        listeners.apply(())
        with pytest.raises(ConnectionRefusedError):
            dial(listeners)
        with inside:
            inside.sendall(b"still here")
        assert received(outside) == b"still here"


def test_address_that_is_taken_is_said(listeners: FloatingListeners) -> None:
    with closing(socket.create_server((str(FLOATING), listeners.port))), pytest.raises(LabError, match="floating"):
        listeners.apply((ADDRESS,))

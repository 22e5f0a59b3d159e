"""The prober through a real sshd on loopback: one run from start to stop, and one whose connection dies."""

from __future__ import annotations

import ipaddress
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from haos.adapters.prober import RemoteObserver
from haos.core.probe import History, Service
from haos.core.service_probe import is_serving
from tests.adapters.openssh_server import INSTANCE, Client, Sshd, command_lines, wait_until

pytestmark = pytest.mark.real

SELF = ipaddress.ip_address("127.0.0.1")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    server = Sshd(tmp_path).start()
    client = Client(server, tmp_path).trust()
    yield client
    client.close()
    server.stop()


def answered(history: History) -> bool:
    return sum(echo.answered_s is not None for echo in history.echoes) >= 10


def is_served(history: History) -> bool:
    """Say whether sshd itself was asked as a service, and a connection to it is held, as far as that can be."""
    return history.method == "ping" or (is_serving(history) and bool(history.flow))


def test_a_run_over_ssh(client: Client) -> None:
    probe = RemoteObserver(client.gateway().connect(INSTANCE)).start_probe(SELF, interval_s=0.01)
    assert probe.wait(answered, 10.0)
    called_s = time.monotonic()
    probe.mark("here")
    assert probe.wait(lambda history: bool(history.marks), 10.0)
    mark = probe.history().mark("here")
    history = probe.stop()
    assert history.lost is None
    assert 0 <= mark.error_s < 1.0
    if history.method != "ping":  # one machine, one monotonic clock: the mark can be checked
        assert mark.at_s - mark.error_s - 1e-3 <= called_s <= mark.at_s
        moment = probe.when(called_s)
        assert moment.earliest_s <= called_s <= moment.latest_s
        assert moment.error_s < 0.1


def test_a_connection_that_dies_is_said_and_leaves_no_program_behind(client: Client) -> None:
    service = Service(f"tcp:{client.server.port}", client.server.port)
    observer = RemoteObserver(client.gateway().connect(INSTANCE))
    probe = observer.start_probe(SELF, interval_s=0.01, service=service)
    assert probe.wait(lambda history: answered(history) and is_served(history), 10.0)
    programs = below(client.server, "sys.stdin.buffer")
    assert programs
    for session in below(client.server, "sshd"):
        with suppress(ProcessLookupError):  # one that was only asked whether it serves ends by itself
            os.kill(session, signal.SIGKILL)
    assert not probe.wait(lambda history: False, 10.0)
    lost = probe.stop().lost
    assert lost is not None
    assert "broke" in lost
    wait_until(lambda: not set(programs) & set(command_lines()), "the program on the observer ends")


def below(server: Sshd, mark: str) -> list[int]:
    """Return the descendants of sshd that have this in their command line."""
    assert server.process is not None
    lines = command_lines()
    family, grown = {server.process.pid}, set[int]()
    while family != grown:
        grown = set(family)
        family |= {pid for pid in lines if parent(pid) in family}
    return [pid for pid in family - {server.process.pid} if mark in lines[pid]]


def parent(pid: int) -> int:
    """Return a process's parent, 0 if it is gone."""
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0

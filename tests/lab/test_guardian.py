"""haos killed in the middle of a fault that is made through the API, on real instances."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, cloud, eventually, haos, requests_of
from tests.security.access_rules import ALL, load
from tests.security.calls import BELOW

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def made(lab_name: str) -> Iterator[str]:
    """The name of a lab with a pair in it."""
    control.lab_request(lab_name, "POST", "/lab/requests/reset")
    haos(lab_name, *CREATE)
    yield lab_name
    haos(lab_name, "teardown", "--purge")


def reservation(lab: str) -> Any:
    [port] = cloud(lab).network.ports(device_owner="haos:vip")
    return port


def first_port(lab: str) -> Any:
    connection = cloud(lab)
    [server] = connection.compute.servers(name="ha_first")
    [port] = connection.network.ports(device_id=server.id)
    return port


def status_of(lab: str) -> str:
    [server] = cloud(lab).compute.servers(name="ha_first")
    return str(server.status)


@contextmanager
def failover_test(lab: str, fault: str, cache: Path, is_made: Callable[[], bool]) -> Iterator[subprocess.Popen[str]]:
    """Start a failover test as a person does, give it once the fault is made, and kill it."""
    argv = [sys.executable, "-m", "haos", "failover-test", "--yes", "--fault", fault]
    process = subprocess.Popen(
        argv,
        env={**os.environ, **control.environment(lab), "XDG_CACHE_HOME": str(cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert eventually(lambda: process.poll() is not None or is_made(), 60.0)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        out, _ = process.communicate()
        print(out)  # pytest shows it where the test failed


def guardian_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    pids = [int(pid) for child in children for pid in child.read_text().split()]
    [guardian] = [pid for pid in pids if b"haos.cli.guard" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return guardian


def is_healthy(lab: str) -> bool:
    return haos(lab, "status", code=None).returncode == 0


def test_the_guardian_undoes_what_a_killed_haos_left_within_the_announced_time(made: str, tmp_path: Path) -> None:
    with failover_test(made, "port-down", tmp_path, lambda: not first_port(made).is_admin_state_up):
        [tag] = reservation(made).tags
    until_s = int(tag.rpartition(":")[2])
    assert eventually(lambda: first_port(made).is_admin_state_up, until_s - time.time())
    assert eventually(lambda: reservation(made).tags == [])
    assert eventually(lambda: not list(tmp_path.glob("haos/guardian-*")))
    assert eventually(lambda: is_healthy(made), 60.0)
    assert "another failover test is at work on" in haos(made, "failover-test", "--yes", code=1).stderr
    haos(made, "failover-test", "--restore")
    assert eventually(lambda: is_healthy(made), 60.0)


def test_without_the_guardian_the_next_haos_names_it_and_restore_undoes_it(made: str, tmp_path: Path) -> None:
    with failover_test(made, "pause", tmp_path, lambda: status_of(made) == "PAUSED") as process:
        os.kill(guardian_of(process), signal.SIGKILL)
    for command, code in (("status", 4), ("switchover", 5), (" ".join(CREATE), 5)):
        ended = haos(made, *command.split(), code=code)
        told = " ".join((ended.stdout + ended.stderr).split())
        assert "fault pause on ha_first was announced until" in told
        assert "haos failover-test --restore ha_first-ha_second" in told
    assert "fault pending: pause on ha_first" in haos(made, "list").stdout
    assert "undid pause on ha_first" in haos(made, "failover-test", "--restore").stdout
    assert (status_of(made), reservation(made).tags) == ("ACTIVE", [])
    assert "nothing to restore" in haos(made, "failover-test", "--restore").stdout
    assert eventually(lambda: is_healthy(made), 60.0)


def test_every_request_so_far_is_in_the_access_rules(made: str) -> None:
    rules = load(ALL)
    for request in set(requests_of(made)):
        method, path = request.split()
        _, service, *rest = path.split("/")
        if service in BELOW and len(rest) > 1:  # this test's own client asks for versions
            assert any(rule.allows(service, method, f"/{'/'.join(rest)}") for rule in rules), request

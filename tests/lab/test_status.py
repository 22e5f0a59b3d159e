"""`haos status` on real instances: all sides agree, drift is named, a watch tells of a failover, one is off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, cloud, eventually, haos, on, requests_of

pytestmark = pytest.mark.lab
WATCH = (sys.executable, "-m", "haos", "status", "--watch", "0.5", "-f", "json", "-q")


@pytest.fixture(scope="module")
def pair(own_lab: str) -> str:
    """A lab with a pair; its name."""
    haos(own_lab, *CREATE, "--no-verify")
    return own_lab


def seen(lab: str, *, code: int = 0) -> dict[str, Any]:
    found = json.loads(haos(lab, "status", "-f", "json", code=code).stdout)
    assert isinstance(found, dict)
    return found


def reasons(status: dict[str, Any], where: str | None) -> list[str]:
    return [trouble["reason"] for trouble in status["Troubles"] if trouble["where"] == where]


def test_a_healthy_pair_is_seen_from_all_sides_with_eight_requests(pair: str) -> None:
    status: dict[str, Any] = {}

    def is_healthy() -> bool:
        control.lab_request(pair, "POST", "/lab/requests/reset")
        status.update(json.loads(haos(pair, "status", "-f", "json", code=None).stdout))
        return bool(status["Healthy"])

    assert eventually(is_healthy, 30.0)
    requests = requests_of(pair)
    assert len(requests) <= 8, "\n".join(requests)
    assert [(node["role"], node["holds_vip"], node["config"]) for node in status["Nodes"]] == [
        ("Active", True, "ok"),
        ("Backup", False, "ok"),
    ]
    assert [node["effective_priority"] for node in status["Nodes"]] == [240, 230]
    assert all(node["pair_admitted"] and node["vrrp_admitted"] and node["port_up"] for node in status["Nodes"])
    observer = status["Observer"]
    assert (observer["answered_by"], observer["fresh_answered_by"]) == ("ha_first", ["ha_first"])
    assert 0 < observer["round_trip_ms"] < 1000
    assert status["Troubles"] == []


def test_an_address_pair_that_is_gone_is_named(pair: str) -> None:
    network = cloud(pair).network
    server = next(one for one in cloud(pair).compute.servers() if one.name == "ha_second")
    [port] = network.ports(device_id=server.id)
    network.update_port(port.id, allowed_address_pairs=[])
    try:
        status = seen(pair, code=4)
        [trouble] = [one for one in status["Troubles"] if one["code"] == "address-pair"]
        assert trouble["where"] == "ha_second"
        assert trouble["reason"].startswith("its port lacks the address pair 10.200.51.")
        assert trouble["remedy"] == "haos repair ha_first-ha_second"
    finally:
        network.update_port(port.id, allowed_address_pairs=port.allowed_address_pairs)


@contextmanager
def watching(lab: str) -> Iterator[tuple[Callable[[], list[dict[str, Any]]], subprocess.Popen[str]]]:
    """Have a watch under way; yields what gives its documents so far."""
    environ = {**os.environ, **control.environment(lab)}
    process = subprocess.Popen(WATCH, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield (lambda: [json.loads(line) for line in list(lines)]), process
    finally:
        process.kill()
        process.communicate()


def test_a_watch_tells_of_a_failover_with_its_outage(pair: str) -> None:
    with watching(pair) as (documents, process):

        def event(kind: str, text: str) -> dict[str, Any] | None:
            events = [one for document in documents() for one in document["Events"]]
            return next((one for one in events if one["kind"] == kind and text in one["text"]), None)

        assert eventually(lambda: bool(documents()) and documents()[-1]["Healthy"], 20.0)
        on(pair, "ha_first", "sudo systemctl stop keepalived")
        try:
            assert eventually(lambda: event("moved", "VIP moved ha_first -> ha_second") is not None)
            assert eventually(lambda: documents()[-1]["Active"] == "ha_second")
        finally:
            on(pair, "ha_first", "sudo systemctl start keepalived")
        moved = event("moved", "")
        assert moved is not None
        assert (moved["from"], moved["to"]) == ("ha_first", "ha_second")
        assert 0.0 <= moved["gone_s"] <= 1.0
        assert event("trouble", "ha_first: keepalived does not run")
        assert eventually(lambda: event("moved", "VIP moved ha_second -> ha_first") is not None, 20.0)
        assert eventually(lambda: documents()[-1]["Healthy"])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, "healthy as it was last"
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_instance_that_is_off_or_dead_costs_little_time(pair: str) -> None:
    compute = cloud(pair).compute
    server = next(one for one in compute.servers() if one.name == "ha_second")
    compute.stop_server(server)
    try:
        assert eventually(lambda: compute.get_server(server.id).status == "SHUTOFF")
        started_s = time.monotonic()
        status = seen(pair, code=4)
        assert time.monotonic() - started_s < 20.0
        assert reasons(status, "ha_second") == ["its instance is SHUTOFF"]
        assert status["Nodes"][0]["role"] == "Active"
        assert status["Observer"]["answered_by"] == "ha_first"
    finally:
        compute.start_server(server)
    assert eventually(lambda: compute.get_server(server.id).status == "ACTIVE")

"""Nodes exchanged on real instances: the Active one, killed half-way, one that was deleted; then teardown."""

from __future__ import annotations

import re
from typing import Any

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, begun, by_id, cloud, eventually, groups_by_id, haos, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
PAIR = "ha_first-ha_second"
FIRST, SECOND, THIRD = "ha_first", "ha_second", "ha_third"


@pytest.fixture(scope="module")
def lab(own_lab: str) -> str:
    """A lab with one instance more, and keepalived on it already: only the first two get it from haos."""
    control.add_instance(own_lab, THIRD)
    on(own_lab, THIRD, "sudo apt-get update -qq && sudo apt-get install -y -qq keepalived >/dev/null 2>&1")
    return own_lab


def server_of(lab: str, node: str) -> Any:
    return next(one for one in cloud(lab).compute.servers() if one.name == node)


def port_of(lab: str, node: str) -> str:
    [port] = cloud(lab).network.ports(device_id=server_of(lab, node).id)
    return str(port.id)


def cloud_without(lab: str, port_id: str) -> dict[str, Any]:
    """Return ports and groups but for one port, which is deleted on the way."""
    network = cloud(lab).network
    ports = by_id(network.ports())
    ports.pop(port_id, None)
    return {"ports": ports, "groups": groups_by_id(network.security_groups())}


def exchanged(lab: str, old: str, new: str, *more: str) -> str:
    """Replace a node, and return what was printed; the pair is proven by that."""
    printed = haos(lab, "replace-node", "--old", old, "--new", new, *more).stdout
    assert re.search(rf"{new} has taken the place of .* answers from {new} ", printed), printed
    assert "replaced by" not in haos(lab, "status").stdout
    return printed


def killed(lab: str, old: str, new: str, step: str) -> None:
    """Begin to replace a node, and kill haos as soon as a step is done."""
    with begun(lab, "replace-node", "--old", old, "--new", new, "--no-verify") as process:
        assert process.stderr is not None
        assert any(step in line for line in process.stderr)
        process.kill()


def test_the_active_node_a_killed_run_a_deleted_node_and_teardown(lab: str) -> None:
    deleted = port_of(lab, SECOND)
    before = cloud_without(lab, deleted), {node: node_state(lab, node) for node in (FIRST, THIRD)}
    haos(lab, *CREATE, "--preempt-delay", "1", "--no-verify")

    printed = exchanged(lab, FIRST, THIRD, "--purge")
    assert re.search(rf"switchover {FIRST} -> {THIRD}: .*PASS", printed), "no more is lost than by a switchover"
    assert node_state(lab, FIRST) == before[1][FIRST]

    killed(lab, THIRD, FIRST, f"ok start keepalived on {FIRST}")
    status = haos(lab, "status", code=None).stdout
    assert f"{THIRD} is being replaced by {FIRST}, or that was broken off" in status
    assert haos(lab, "switchover", code=5).stderr.count(f"haos replace-node {PAIR} --old {THIRD} --new {FIRST}") == 1
    exchanged(lab, THIRD, FIRST)
    assert node_state(lab, THIRD) == before[1][THIRD]

    cloud(lab).compute.delete_server(server_of(lab, SECOND).id)
    assert eventually(lambda: not cloud(lab).network.get_port(deleted).device_id)
    cloud(lab).network.delete_port(deleted)  # which was there before its instance, and so stays
    assert f"--old {deleted} --new INSTANCE" in haos(lab, "status", code=4).stdout
    printed = haos(lab, "replace-node", "--old", deleted[:8], "--new", THIRD).stdout
    assert f"{THIRD} has taken the place of port {deleted[:8]}… in pair {PAIR}" in printed

    haos(lab, "teardown", "--purge")
    assert (cloud_without(lab, deleted), {node: node_state(lab, node) for node in (FIRST, THIRD)}) == before

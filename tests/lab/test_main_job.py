"""The main job on real instances: create, look, fail over, create again, tear down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from haos.lab import control
from haos.workflow.faults import DEFAULT
from tests.lab.main_job import CREATE, NODES, cloud, eventually, haos, neutron_state, node_state, on, requests_of

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Made:
    lab: str
    vip: str
    output: str
    requests: tuple[str, ...]
    neutron_before: object
    nodes_before: dict[str, str]


@pytest.fixture(scope="module")
def made(lab_name: str) -> Iterator[Made]:
    """A pair, made once for the tests of this file; every one leaves it as it found it."""
    neutron_before = neutron_state(lab_name)
    nodes_before = {node: node_state(lab_name, node) for node in NODES}
    control.lab_request(lab_name, "POST", "/lab/requests/reset")
    output = haos(lab_name, *CREATE).stdout
    requests = tuple(requests_of(lab_name))
    found = re.search(r"VIP (\S+) of pair ha_first-ha_second answers from ha_first", output)
    assert found, output
    yield Made(lab_name, found[1], output, requests, neutron_before, nodes_before)
    haos(lab_name, "teardown", "--purge", code=None)  # the last test has torn it down, if it was reached


def mac_of(lab: str, node: str) -> str:
    return str(json.loads(on(lab, node, "ip -j link show ens3"))[0]["address"])


def test_vip_is_free_reserved_and_admitted(made: Made) -> None:
    assert 2 <= int(made.vip.rpartition(".")[2]) <= 31
    network = cloud(made.lab).network
    [reservation] = network.ports(device_owner="haos:vip")
    assert reservation.fixed_ips[0]["ip_address"] == made.vip
    assert reservation.mac_address == "00:00:5e:00:01:01"
    for node in NODES:
        [port] = network.ports(mac_address=mac_of(made.lab, node))
        assert {"ip_address": made.vip, "mac_address": port.mac_address} in port.allowed_address_pairs


def test_observer_reaches_the_vip_on_the_active_node(made: Made) -> None:
    assert " 0% packet loss" in on(made.lab, "observer", f"ping -c 3 -i 0.2 {made.vip}")
    assert mac_of(made.lab, "ha_first") in on(made.lab, "observer", f"ip neigh show {made.vip}")


def test_first_create_takes_at_most_24_requests(made: Made) -> None:
    assert len(made.requests) <= 24, "\n".join(made.requests)


def test_create_again_changes_nothing_with_at_most_12_reads(made: Made) -> None:
    before = neutron_state(made.lab), [node_state(made.lab, node) for node in NODES]
    transitions = [on(made.lab, node, "sudo journalctl -u keepalived -o cat | grep -c STATE") for node in NODES]
    control.lab_request(made.lab, "POST", "/lab/requests/reset")
    again = haos(made.lab, *CREATE).stdout
    requests = requests_of(made.lab)
    assert "Nothing to change." in again
    assert len(requests) <= 12, "\n".join(requests)
    assert [one for one in requests if not one.startswith("GET")] == ["POST /identity/v3/auth/tokens"]
    assert (neutron_state(made.lab), [node_state(made.lab, node) for node in NODES]) == before
    assert transitions == [
        on(made.lab, node, "sudo journalctl -u keepalived -o cat | grep -c STATE") for node in NODES
    ]


def test_dry_run_of_another_pair_changes_nothing(made: Made) -> None:
    before = neutron_state(made.lab)
    shown = haos(made.lab, *CREATE, "--name", "web", "--dry-run", "--exit-code", code=3).stdout
    assert "VRID 2" in shown
    assert "Predicted outage" in shown
    assert neutron_state(made.lab) == before


def test_status_is_healthy(made: Made) -> None:
    shown = haos(made.lab, "status").stdout
    assert ": healthy" in shown
    assert re.search(r"ha_first\s*\|\s*Active\s*\|\s*yes", shown)
    assert re.search(r"ha_second\s*\|\s*Backup\s*\|\s*no", shown)


def test_failover_test_with_no_argument_measures_the_default_faults(made: Made) -> None:
    shown = haos(made.lab, "failover-test").stdout
    rows = re.findall(r"^\| (?:- )?([\w-]+)\s+\| (\S+)\s+\| (\S+)\s+\|.*\| +PASS", shown, re.MULTILINE)
    there, back = ("ha_first", "ha_second"), ("ha_second", "ha_first")
    assert rows == [move for fault in DEFAULT for move in ((fault, *there), ("failback", *back))]
    assert re.search(r"^partition +\|F+", shown, re.MULTILINE), "a timeline for each"


def test_without_the_pair_on_the_active_port_the_vip_is_dead(made: Made) -> None:
    connection = cloud(made.lab)
    [port] = connection.network.ports(mac_address=mac_of(made.lab, "ha_first"))
    ping = f"ping -c 1 -W 1 {made.vip}"
    connection.network.update_port(port.id, allowed_address_pairs=[])
    try:
        assert eventually(lambda: " 100% packet loss" in on(made.lab, "observer", ping, ok=False))
        assert "ha_first" in haos(made.lab, "status", code=4).stdout
    finally:
        connection.network.update_port(port.id, allowed_address_pairs=port.allowed_address_pairs)
    assert eventually(lambda: " 0% packet loss" in on(made.lab, "observer", ping, ok=False))


def holders(made: Made) -> list[str]:
    return [node for node in NODES if made.vip in on(made.lab, node, f"ip -o address show to {made.vip}")]


def test_without_the_rule_for_112_both_nodes_turn_active(made: Made) -> None:
    connection = cloud(made.lab)
    [group] = [group for group in connection.network.security_groups() if group.name.startswith("haos-")]
    ports = [port for node in NODES for port in connection.network.ports(mac_address=mac_of(made.lab, node))]
    kept = {port.id: port.security_group_ids for port in ports}
    for port_id, groups in kept.items():
        connection.network.update_port(port_id, security_groups=[one for one in groups if one != group.id])
    try:
        assert eventually(lambda: holders(made) == list(NODES))
    finally:
        for port_id, groups in kept.items():
            connection.network.update_port(port_id, security_groups=groups)
    assert eventually(lambda: holders(made) == ["ha_first"])


def test_teardown_leaves_nothing(made: Made) -> None:
    haos(made.lab, "teardown", "--purge")
    assert neutron_state(made.lab) == made.neutron_before
    assert {node: node_state(made.lab, node) for node in NODES} == made.nodes_before

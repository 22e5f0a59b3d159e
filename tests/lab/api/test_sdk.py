"""The real openstacksdk on the paths that haos takes."""

from __future__ import annotations

import openstack.connection
import openstack.exceptions
import pytest

from haos.lab.model import IdleWorld
from tests.lab.api.conftest import FIRST, FIRST_PORT, HA_LAB, SDK_NAGS, SUBNET

Connection = openstack.connection.Connection
pytestmark = pytest.mark.filterwarnings(SDK_NAGS)
VIP = "10.200.51.10"
VMAC = "00:00:5e:00:01:33"


def reserve(sdk: Connection) -> object:
    return sdk.network.create_port(
        network_id=HA_LAB,
        name="haos-vip",
        fixed_ips=[{"subnet_id": SUBNET, "ip_address": VIP}],
        mac_address=VMAC,
        device_owner="haos:vip",
        device_id="haos-pair",
        description='{"schema": 1}',
        security_groups=[],
        admin_state_up=False,
    )


def test_look_ups(sdk: Connection) -> None:
    assert sdk.network.find_network("ha_lab", ignore_missing=False).id == HA_LAB
    assert sdk.network.find_network(HA_LAB, ignore_missing=False).name == "ha_lab"
    assert sdk.network.find_port("nobody") is None
    assert [item.id for item in sdk.network.subnets(network_id=HA_LAB)] == [SUBNET]
    assert sdk.compute.find_server("ha_first", ignore_missing=False).id == FIRST
    found = list(sdk.compute.servers(details=True, name="^ha_[fs].*$"))
    assert {server.name for server in found} == {"ha_first", "ha_second"}
    assert len({server.host_id for server in found}) == 2
    assert sdk.current_project_id == "26cfbd9d4ee64d8faecd287bb39d3870"


def test_ports_page_by_page(sdk: Connection) -> None:
    everything = {port.id for port in sdk.network.ports(network_id=HA_LAB)}
    assert {port.id for port in sdk.network.ports(network_id=HA_LAB, limit=2)} == everything
    assert len(everything) == 4


def test_amend_under_if_match(sdk: Connection) -> None:
    port = sdk.network.get_port(FIRST_PORT)
    pairs = [{"ip_address": VIP}]
    group = sdk.network.create_security_group(name="haos")
    changed = sdk.network.update_port(
        FIRST_PORT,
        if_revision=port.revision_number,
        allowed_address_pairs=pairs,
        security_groups=[*port.security_group_ids, group.id],
    )
    assert changed.allowed_address_pairs == [{"ip_address": VIP, "mac_address": port.mac_address}]
    assert group.id in changed.security_group_ids
    with pytest.raises(openstack.exceptions.PreconditionFailedException, match="Constrained to 1"):
        sdk.network.update_port(FIRST_PORT, if_revision=port.revision_number, allowed_address_pairs=[])


def test_reservation(sdk: Connection, world: IdleWorld) -> None:
    reserve(sdk)
    (port,) = sdk.network.ports(device_owner="haos:vip")
    assert (port.mac_address, port.device_id, port.description) == (VMAC, "haos-pair", '{"schema": 1}')
    assert port.status == "DOWN"
    with pytest.raises(openstack.exceptions.ConflictException, match="mac address 00:00:5e:00:01:33 is in use"):
        reserve(sdk)
    sdk.network.delete_port(port.id)
    sdk.network.delete_port(port.id, ignore_missing=True)
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.network.get_port(port.id)


def test_group_with_bulk_rules(sdk: Connection) -> None:
    group = sdk.network.create_security_group(name="haos", description="x")
    for rule in group.security_group_rules:
        sdk.network.delete_security_group_rule(rule["id"])
    base = {"security_group_id": group.id, "direction": "ingress", "ethertype": "IPv4"}
    rules = [{**base, "protocol": "112", "remote_group_id": group.id}]
    answer = sdk.network.post("/security-group-rules", json={"security_group_rules": rules})
    assert answer.status_code == 201
    (found,) = sdk.network.security_groups(name="haos")
    assert [rule["protocol"] for rule in found.security_group_rules] == ["112"]
    sdk.network.delete_security_group(group.id)


def test_console_extensions_quota(sdk: Connection, world: IdleWorld) -> None:
    world.consoles[FIRST] = "a\nb\n"
    assert sdk.compute.get_server_console_output(FIRST, length=1) == {"output": "b\n"}
    assert "revision-if-match" in {item.alias for item in sdk.network.extensions()}
    assert sdk.current_project_id
    quota = sdk.network.get_quota(sdk.current_project_id, details=True)
    assert quota.ports["used"] == 4
    assert quota.security_group_rules["limit"] == 100


def test_server_actions(sdk: Connection) -> None:
    sdk.compute.stop_server(FIRST)
    server = sdk.compute.wait_for_server(sdk.compute.get_server(FIRST), status="SHUTOFF", interval=0.05, wait=10)
    assert server.vm_state == "stopped"
    with pytest.raises(openstack.exceptions.ConflictException, match="while it is in vm_state stopped"):
        sdk.compute.stop_server(FIRST)
    sdk.compute.start_server(FIRST)
    sdk.compute.wait_for_server(server, status="ACTIVE", interval=0.05, wait=10)


def test_server_tags(sdk: Connection) -> None:
    sdk.compute.add_tag_to_server(FIRST, "haos")
    assert [server.name for server in sdk.compute.servers(tags="haos")] == ["ha_first"]


def test_tags_on_a_port(sdk: Connection) -> None:
    sdk.network.set_tags(sdk.network.get_port(FIRST_PORT), ["haos"])
    assert [port.id for port in sdk.network.ports(tags="haos")] == [FIRST_PORT]

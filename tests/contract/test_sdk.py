"""The real openstacksdk on the paths that haos takes, and on those that its users take beside it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import openstack
import openstack.connection
import openstack.exceptions
import pytest

from tests.contract.client import Client
from tests.contract.places import Network, get_port, make_port, unique
from tests.contract.servers import Pair, settled
from tests.contract.side import Side

Connection = openstack.connection.Connection
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # the SDK warns of its own plans
VMAC = "00:00:5e:00:01:33"


@pytest.fixture(scope="session")
def sdk(side: Side) -> Iterator[Connection]:
    """A connection of the member's."""
    who = side.credentials["member"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connection = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            region_name="RegionOne",
            auth_url=who.auth_url,
            username=who.username,
            password=who.password,
            project_name=who.project,
            user_domain_name=who.domain,
            project_domain_name=who.domain,
        )
    yield connection
    connection.close()


def reserve(sdk: Connection, network: Network, address: str, description: str) -> object:
    return sdk.network.create_port(
        network_id=network.id,
        name="haos-vip",
        fixed_ips=[{"subnet_id": network.subnet_id, "ip_address": address}],
        mac_address=VMAC,
        device_owner="haos:vip",
        device_id="haos-pair",
        description=description,
        security_groups=[],
        admin_state_up=False,
    )


def test_look_ups(sdk: Connection, member: Client, pair: Pair) -> None:
    network = pair.network
    assert sdk.network.find_network(network.name, ignore_missing=False).id == network.id
    assert sdk.network.find_network(network.id, ignore_missing=False).name == network.name
    assert sdk.network.find_port("nobody-has-this-name") is None
    assert [item.id for item in sdk.network.subnets(network_id=network.id)] == [network.subnet_id]
    assert sdk.compute.find_server(pair.names[0], ignore_missing=False).id == pair.first
    assert sdk.compute.find_server(pair.first, ignore_missing=False).name == pair.names[0]
    found = list(sdk.compute.servers(details=True, name=f"^{pair.prefix}-[ab]$"))
    assert {server.name for server in found} == set(pair.names)
    assert all(len(server.host_id) == 56 for server in found)
    assert sdk.current_project_id == member.project_id


def test_ports_page_by_page(sdk: Connection, member: Client, fresh_network: Network) -> None:
    made = {make_port(member, fresh_network).body["port"]["id"] for _ in range(3)}
    found = {port.id for port in sdk.network.ports(network_id=fresh_network.id, limit=2)}
    assert found == {port.id for port in sdk.network.ports(network_id=fresh_network.id)}
    assert made <= found


def test_amend_under_if_match(sdk: Connection, port: str) -> None:
    before = sdk.network.get_port(port)
    changed = sdk.network.update_port(
        port, if_revision=before.revision_number, allowed_address_pairs=[{"ip_address": "10.200.51.11"}]
    )
    pair = {"ip_address": "10.200.51.11", "mac_address": before.mac_address}
    assert changed.allowed_address_pairs == [pair]
    assert changed.security_group_ids == before.security_group_ids
    text = f"Constrained to {before.revision_number}"
    with pytest.raises(openstack.exceptions.PreconditionFailedException, match=text):
        sdk.network.update_port(port, if_revision=before.revision_number, allowed_address_pairs=[])


def test_reservation(sdk: Connection, fresh_network: Network) -> None:
    reserve(sdk, fresh_network, "10.200.51.10", '{"schema": 1}')
    [port] = sdk.network.ports(device_owner="haos:vip", network_id=fresh_network.id)
    assert (port.mac_address, port.device_id, port.description) == (VMAC, "haos-pair", '{"schema": 1}')
    assert port.status == "DOWN"
    with pytest.raises(openstack.exceptions.ConflictException, match=f"mac address {VMAC} is in use"):
        reserve(sdk, fresh_network, "10.200.51.12", "")
    sdk.network.delete_port(port.id)
    sdk.network.delete_port(port.id, ignore_missing=True)
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.network.get_port(port.id)


def test_group_with_bulk_rules(sdk: Connection) -> None:
    name = unique("group")
    group = sdk.network.create_security_group(name=name, description="x")
    try:
        for rule in group.security_group_rules:
            sdk.network.delete_security_group_rule(rule["id"])
        base = {"security_group_id": group.id, "direction": "ingress", "ethertype": "IPv4"}
        rules = [{**base, "protocol": "112", "remote_group_id": group.id}]
        answer = sdk.network.post("/security-group-rules", json={"security_group_rules": rules})
        assert answer.status_code == 201
        [found] = sdk.network.security_groups(name=name)
        assert [rule["protocol"] for rule in found.security_group_rules] == ["112"]
    finally:
        sdk.network.delete_security_group(group.id)


def test_console(sdk: Connection, pair: Pair) -> None:
    whole = sdk.compute.get_server_console_output(pair.first)["output"]
    [last] = whole.split("\n")[-1:]
    assert sdk.compute.get_server_console_output(pair.first, length=1) == {"output": last}


def test_extensions_and_quota(sdk: Connection, member: Client, pair: Pair) -> None:
    assert {"revision-if-match", "allowed-address-pairs"} <= {item.alias for item in sdk.network.extensions()}
    quota = sdk.network.get_quota(member.project_id, details=True)
    assert quota.ports["used"] >= 2
    assert quota.security_group_rules["limit"] == 100


def test_server_actions(sdk: Connection, member: Client, pair: Pair) -> None:
    sdk.compute.stop_server(pair.second)
    server = sdk.compute.get_server(pair.second)
    stopped = sdk.compute.wait_for_server(server, status="SHUTOFF", interval=0.1, wait=60)
    settled(member, pair.second, "SHUTOFF")
    assert stopped.vm_state == "stopped"
    with pytest.raises(openstack.exceptions.ConflictException, match="while it is in vm_state stopped"):
        sdk.compute.stop_server(pair.second)
    sdk.compute.start_server(pair.second)
    settled(member, pair.second, "ACTIVE")


def test_server_tags(sdk: Connection, pair: Pair) -> None:
    tag = unique("tag")
    sdk.compute.add_tag_to_server(pair.first, tag)
    assert [server.id for server in sdk.compute.servers(tags=tag)] == [pair.first]
    sdk.compute.remove_tag_from_server(pair.first, tag)
    assert list(sdk.compute.servers(tags=tag)) == []


def test_tags_on_a_port(sdk: Connection, member: Client, port: str) -> None:
    tag = unique("tag")
    sdk.network.set_tags(sdk.network.get_port(port), [tag])
    assert [item.id for item in sdk.network.ports(tags=tag)] == [port]
    assert get_port(member, port)["tags"] == [tag]

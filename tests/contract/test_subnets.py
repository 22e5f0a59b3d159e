"""Subnets: gateway and pools by default, what fits together, and what is in use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, addresses, make_port, unique
from tests.contract.things import Doc, Things, get, put

Pool = tuple[str, str]
SIX = {"ip_version": 6, "cidr": "2001:db8::/64"}


@pytest.fixture(scope="module")
def empty(member: Client, module_things: Things) -> str:
    """The id of a network without a subnet, for tests that leave none behind."""
    return str(module_things.network(member)["id"])


def ask(client: Client, network: str, **values: Any) -> Answer:
    """Ask for a subnet; an attribute that is ... is left out."""
    body = {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24", **values}
    sent = {key: value for key, value in body.items() if value is not ...}
    return client.neutron("POST", "/subnets", {"subnet": sent})


def made(client: Client, network: str, things: Things, **values: Any) -> Doc:
    answer = ask(client, network, **values)
    assert answer.status == 201, answer
    subnet: Doc = answer.body["subnet"]
    things.adopt("subnets", subnet["id"])
    return subnet


def pools(subnet: Doc) -> list[Pool]:
    return sorted((pool["start"], pool["end"]) for pool in subnet["allocation_pools"])


def listed_pools(*pairs: Pool) -> list[Doc]:
    return [{"start": start, "end": end} for start, end in pairs]


def test_born_with_these_values(member: Client, empty: str, things: Things) -> None:
    name = unique("subnet")
    subnet = made(member, empty, things, name=name)
    expected = {
        "name": name,
        "network_id": empty,
        "project_id": member.project_id,
        "cidr": "10.9.0.0/24",
        "gateway_ip": "10.9.0.1",
        "enable_dhcp": True,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "subnetpool_id": None,
        "router:external": False,
        "revision_number": 0,
    }
    assert {key: subnet.get(key, "missing") for key in expected} == expected
    assert pools(subnet) == [("10.9.0.2", "10.9.0.254")]


@pytest.mark.parametrize(
    ("values", "gateway", "expected"),
    [
        ({"gateway_ip": None}, None, [("10.9.0.1", "10.9.0.254")]),
        ({"gateway_ip": "10.9.0.254"}, "10.9.0.254", [("10.9.0.1", "10.9.0.253")]),
        ({"gateway_ip": "10.9.0.100"}, "10.9.0.100", [("10.9.0.1", "10.9.0.99"), ("10.9.0.101", "10.9.0.254")]),
        ({"gateway_ip": "10.8.0.1"}, "10.8.0.1", [("10.9.0.1", "10.9.0.254")]),
        ({"cidr": "10.9.0.7/24"}, "10.9.0.1", [("10.9.0.2", "10.9.0.254")]),
        ({"cidr": "10.9.0.0/30"}, "10.9.0.1", [("10.9.0.2", "10.9.0.2")]),
        ({"ip_version": "4", "allocation_pools": []}, "10.9.0.1", [("10.9.0.2", "10.9.0.254")]),
        (
            {"allocation_pools": listed_pools(("10.9.0.30", "10.9.0.40"), ("10.9.0.15", "10.9.0.20"))},
            "10.9.0.1",
            [("10.9.0.15", "10.9.0.20"), ("10.9.0.30", "10.9.0.40")],
        ),
        (SIX, "2001:db8::", [("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff")]),
        ({**SIX, "gateway_ip": "fe80::1"}, "fe80::1", [("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff")]),
    ],
)
def test_gateway_and_pools(
    member: Client, empty: str, things: Things, values: Doc, gateway: str | None, expected: list[Pool]
) -> None:
    subnet = made(member, empty, things, **values)
    assert (subnet["gateway_ip"], pools(subnet)) == (gateway, expected)


@pytest.mark.parametrize(
    ("values", "status", "kind", "message"),
    [
        ({"cidr": "x"}, 400, "InvalidInput", "x is not in a CIDR format."),
        ({"cidr": ...}, 400, "BadRequest", "a subnetpool must be specified in the absence of a cidr."),
        ({"network_id": "x"}, 400, "HTTPBadRequest", "Reason: 'x' is not a valid UUID."),
        ({"ip_version": 6}, 400, "InvalidInput", "cidr '10.9.0.0/24' does not match the ip_version '6'."),
        ({"ip_version": 5}, 400, "HTTPBadRequest", "Reason: 5 is not in valid_values."),
        ({"ip_version": ...}, 400, "HTTPBadRequest", "Required attribute 'ip_version' not specified"),
        ({"cidr": "10.9.0.0/31"}, 400, "InvalidInput", "incompatible with DHCP service enabled."),
        ({"cidr": "127.0.0.0/8"}, 400, "InvalidInput", "Loopback IP subnet is not supported"),
        ({"cidr": "224.0.0.0/24"}, 400, "InvalidInput", "Multicast IP subnet is not supported"),
        ({"cidr": "0.0.0.0/0"}, 400, "InvalidInput", "First IP '0.0.0.0' of network is not supported"),
        ({"gateway_ip": "x"}, 400, "HTTPBadRequest", "Reason: 'x' is not a valid IP address."),
        ({"gateway_ip": "10.9.0.0"}, 400, "InvalidInput", "Gateway is not valid on subnet."),
        ({"gateway_ip": "fe80::1"}, 400, "InvalidInput", "gateway_ip 'fe80::1' does not match the ip_version '4'."),
        ({"enable_dhcp": "x"}, 400, "InvalidInput", "'x' cannot be converted to boolean."),
        ({"dns_nameservers": ["x"]}, 400, "HTTPBadRequest", "'x' is not a valid nameserver."),
        ({"dns_nameservers": ["8.8.8.8"] * 2}, 400, "HTTPBadRequest", "Duplicate nameserver '8.8.8.8'."),
        (
            {"host_routes": [{"destination": "x", "nexthop": "10.9.0.5"}]},
            400,
            "HTTPBadRequest",
            "Reason: 'x' is not a valid CIDR.",
        ),
        ({"ipv6_address_mode": "slaac"}, 400, "InvalidInput", "ipv6_address_mode"),
        ({**SIX, "ipv6_ra_mode": "x"}, 400, "HTTPBadRequest", "Reason: x is not in valid_values."),
        ({**SIX, "ipv6_ra_mode": "slaac", "enable_dhcp": False}, 400, "InvalidInput", "when enable_dhcp is set to"),
        (
            {**SIX, "cidr": "2001:db8::/80", "ipv6_address_mode": "slaac"},
            400,
            "InvalidInput",
            "OpenStack uses the EUI-64 address format, which requires the prefix to be /64.",
        ),
        (
            {**SIX, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "dhcpv6-stateful"},
            400,
            "InvalidInput",
            "If both attributes are set, they must be the same value.",
        ),
    ],
)
def test_refused(member: Client, empty: str, values: Doc, status: int, kind: str, message: str) -> None:
    refused = ask(member, empty, **values).fault
    assert refused[:2] == (status, kind)
    assert message in refused[2]


@pytest.mark.parametrize(
    ("wanted", "status", "kind", "message"),
    [
        ([("10.9.0.9", "10.9.0.255")], 400, "OutOfBoundsAllocationPool", "10.9.0.9-10.9.0.255 spans beyond"),
        ([("10.8.0.2", "10.9.0.9")], 400, "OutOfBoundsAllocationPool", "the subnet cidr 10.9.0.0/24."),
        ([("10.9.0.9", "10.9.0.2")], 400, "InvalidAllocationPool", "is not valid."),
        ([("x", "y")], 400, "HTTPBadRequest", "Reason: 'x' is not a valid IP address."),
        ([("fd00::1", "fd00::2")], 400, "InvalidAllocationPool", "The allocation pool fd00::1-fd00::2 is not valid."),
        (
            [("10.9.0.1", "10.9.0.9")],
            409,
            "GatewayConflictWithAllocationPools",
            "Gateway ip 10.9.0.1 conflicts with allocation pool 10.9.0.1-10.9.0.9.",
        ),
        (
            [("10.9.0.9", "10.9.0.20"), ("10.9.0.15", "10.9.0.30")],
            409,
            "OverlappingAllocationPools",
            "Found overlapping allocation pools: 10.9.0.9-10.9.0.20 10.9.0.15-10.9.0.30 for subnet 10.9.0.0/24.",
        ),
    ],
)
def test_refused_pools(member: Client, empty: str, wanted: list[Pool], status: int, kind: str, message: str) -> None:
    refused = ask(member, empty, allocation_pools=listed_pools(*wanted)).fault
    assert refused[:2] == (status, kind)
    assert message in refused[2]


def test_addresses_are_there_once_on_a_network(member: Client, network: Network) -> None:
    for cidr in ("10.200.51.128/25", "10.200.0.0/16"):
        text = f"Requested subnet with cidr: {cidr} for network: {network.id} overlaps with another subnet"
        refused = ask(member, network.id, cidr=cidr).fault
        assert refused == (400, "InvalidInput", f"Invalid input for operation: {text}.")


def test_what_counts_as_a_change(member: Client, fresh_network: Network) -> None:
    """Pools, name servers and routes are tables of their own: a subnet's revision knows nothing of them."""
    subnet_id = fresh_network.subnet_id
    moved = listed_pools(("10.200.51.100", "10.200.51.110"))
    route = [{"destination": "1.2.3.0/24", "nexthop": "10.200.51.5"}]
    silent = put(
        member, "subnets", subnet_id, allocation_pools=moved, dns_nameservers=["8.8.8.8"], host_routes=route
    ).body["subnet"]
    kept = (silent["allocation_pools"], silent["dns_nameservers"], silent["host_routes"])
    assert kept == (moved, ["8.8.8.8"], route)
    assert silent["revision_number"] == 0
    seen = get(member, "networks", fresh_network.id)["revision_number"]
    assert put(member, "subnets", subnet_id, enable_dhcp=False).body["subnet"]["revision_number"] == 1
    assert put(member, "subnets", subnet_id, gateway_ip=None).body["subnet"]["revision_number"] == 2
    assert put(member, "subnets", subnet_id, gateway_ip=None).body["subnet"]["revision_number"] == 2
    assert get(member, "networks", fresh_network.id)["revision_number"] == seen + 2
    assert put(member, "subnets", subnet_id, dns_nameservers=None).body["subnet"]["dns_nameservers"] == []
    [address] = addresses(make_port(member, fresh_network))
    assert 100 <= int(address.rsplit(".", 1)[1]) <= 110


def test_refused_changes(member: Client, network: Network) -> None:
    def refused(**values: Any) -> tuple[int, str, str]:
        return put(member, "subnets", network.subnet_id, **values).fault

    text = "Gateway ip 10.200.51.40 conflicts with allocation pool 10.200.51.32-10.200.51.254."
    assert refused(gateway_ip="10.200.51.40") == (409, "GatewayConflictWithAllocationPools", text)
    assert refused(gateway_ip="x")[:2] == (400, "HTTPBadRequest")
    for name in ("cidr", "ip_version", "network_id", "ipv6_ra_mode"):
        text = f"Cannot update read-only attribute {name}"
        assert refused(**{name: "x"}) == (400, "HTTPBadRequest", text)


def test_a_subnet_with_an_address_in_use_stays(member: Client, fresh_network: Network) -> None:
    path = f"/subnets/{fresh_network.subnet_id}"
    port_id = make_port(member, fresh_network).body["port"]["id"]
    text = "One or more ports have an IP allocation from this subnet"
    text = f"Unable to complete operation on subnet {fresh_network.subnet_id}: {text}."
    assert member.neutron("DELETE", path).fault == (409, "SubnetInUse", text)
    assert member.neutron("DELETE", f"/ports/{port_id}").status == 204
    before = get(member, "networks", fresh_network.id)
    assert member.neutron("DELETE", path).status == 204
    after = get(member, "networks", fresh_network.id)
    assert (after["subnets"], after["revision_number"]) == ([], before["revision_number"] + 1)
    gone = f"Subnet {fresh_network.subnet_id} could not be found."
    assert member.neutron("GET", path).fault == (404, "SubnetNotFound", gone)
    assert ask(member, "00000000-0000-0000-0000-000000000001").fault[:2] == (404, "NetworkNotFound")

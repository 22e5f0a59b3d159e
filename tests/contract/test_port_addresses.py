"""Ports' addresses and MACs: what is given, what may be chosen, and what is taken."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, addresses, get_port, made_network, make_port, put_port

V6: dict[str, Any] = {"ip_version": 6, "cidr": "2001:db8:51::/64"}
NOT_THERE = "9a027a94-e688-45cb-a653-e223ccc9f72e"


def test_addresses_come_from_the_pool(member: Client, network: Network) -> None:
    for wanted in ({}, {"fixed_ips": [{"subnet_id": network.subnet_id}]}):
        [address] = addresses(make_port(member, network, **wanted))
        assert IPv4Address("10.200.51.32") <= IPv4Address(address) <= IPv4Address("10.200.51.254")
    assert addresses(make_port(member, network, fixed_ips=[])) == []


def test_an_address_outside_the_pool_is_fine_once(member: Client, network: Network) -> None:
    assert addresses(make_port(member, network, fixed_ips=[{"ip_address": "10.200.51.10"}])) == ["10.200.51.10"]
    again = make_port(member, network, fixed_ips=[{"subnet_id": network.subnet_id, "ip_address": "10.200.51.10"}])
    text = f"IP address 10.200.51.10 already allocated in subnet {network.subnet_id}"
    assert again.fault == (409, "IpAddressAlreadyAllocated", text)


def test_the_gateways_address_is_free_until_a_port_holds_it(member: Client, fresh_network: Network) -> None:
    gateway = {"fixed_ips": [{"ip_address": "10.200.51.1"}]}
    assert make_port(member, fresh_network, **gateway).status == 201
    assert make_port(member, fresh_network, **gateway).fault[:2] == (409, "IpAddressAlreadyAllocated")


@pytest.mark.parametrize("address", ["10.200.52.10", "10.200.51.255", "10.200.51.0"])
def test_an_address_that_no_host_can_have(member: Client, network: Network, address: str) -> None:
    assert make_port(member, network, fixed_ips=[{"ip_address": address}]).fault[1:] == (
        "InvalidIpForNetwork",
        f"IP address {address} is not a valid IP for any of the subnets on the specified network.",
    )
    named = make_port(member, network, fixed_ips=[{"ip_address": address, "subnet_id": network.subnet_id}])
    assert named.fault == (
        400,
        "InvalidIpForSubnet",
        f"IP address {address} is not a valid IP for the specified subnet.",
    )


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ([{"ip_address": "nonsense"}], "'nonsense' is not a valid IP address"),
        ([{"ip_address": None}], "'None' is not a valid IP address"),
        ([{"ip_address": "10.200.51.20"}, {"ip_address": "10.200.51.20"}], "Duplicate IP address '10.200.51.20'"),
        ([{"subnet_id": "x"}], "'x' is not a valid UUID"),
        (None, "Invalid data format for fixed IP: 'None'"),
        (["x"], "Invalid data format for fixed IP: 'x'"),
    ],
)
def test_what_is_no_list_of_addresses(member: Client, network: Network, wanted: Any, reason: str) -> None:
    text = f"Invalid input for fixed_ips. Reason: {reason}."
    assert make_port(member, network, fixed_ips=wanted).fault == (400, "HTTPBadRequest", text)


def test_subnets_that_are_not_there_or_not_ones_own(member: Client, other: Client, admin: Client) -> None:
    with made_network(member, admin) as own, made_network(other, admin) as foreign:
        for subnet_id in (NOT_THERE, foreign.subnet_id):
            refused = make_port(member, own, fixed_ips=[{"subnet_id": subnet_id}])
            assert refused.fault == (404, "SubnetNotFound", f"Subnet {subnet_id} could not be found.")
        assert make_port(member, foreign).fault == (
            404,
            "NetworkNotFound",
            f"Network {foreign.id} could not be found.",
        )


def test_a_full_pool(member: Client, admin: Client) -> None:
    pool = {"start": "10.9.0.9", "end": "10.9.0.9"}
    with made_network(
        member, admin, ip_version=4, cidr="10.9.0.0/24", enable_dhcp=False, allocation_pools=[pool]
    ) as n:
        assert make_port(member, n).status == 201
        full = make_port(member, n)
        text = f"No more IP addresses available on network {n.id}."
        assert full.fault == (409, "IpAddressGenerationFailure", text)
        assert make_port(member, n, fixed_ips=[{"ip_address": "10.9.0.8"}]).status == 201


def test_slaac_addresses_are_made_of_the_mac_and_none_can_be_chosen(member: Client, admin: Client) -> None:
    modes = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    with made_network(member, admin, **V6, **modes) as six:
        made = make_port(member, six, mac_address="fa:16:3e:00:00:01")
        assert addresses(made) == ["2001:db8:51:0:f816:3eff:fe00:1"]
        refused = make_port(member, six, fixed_ips=[{"ip_address": "2001:db8:51::10"}])
        assert refused.fault[:2] == (400, "AllocationOnAutoAddressSubnet")
        assert "2001:db8:51::10 cannot be directly assigned" in refused.fault[2]


def test_stateful_ipv6_addresses_can_be_chosen(member: Client, admin: Client) -> None:
    modes = {"ipv6_address_mode": "dhcpv6-stateful", "ipv6_ra_mode": "dhcpv6-stateful"}
    with made_network(member, admin, **V6, **modes) as six:
        made = make_port(member, six, fixed_ips=[{"ip_address": "2001:db8:51:0::10"}])
        assert addresses(made) == ["2001:db8:51::10"]


def test_a_mac_is_there_once_on_a_network(member: Client, network: Network) -> None:
    made = make_port(member, network, mac_address="00:00:5E:00:01:33").body["port"]
    assert made["mac_address"] == "00:00:5E:00:01:33"
    again = make_port(member, network, mac_address="00:00:5e:00:01:33")
    text = f"Unable to complete operation for network {network.id}. The mac address 00:00:5e:00:01:33 is in use."
    assert again.fault == (409, "MacAddressInUse", text)


@pytest.mark.parametrize("mac", ["nonsense", "", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", 5])
def test_what_is_no_mac(member: Client, network: Network, mac: Any) -> None:
    text = f"Invalid input for mac_address. Reason: '{mac}' is not a valid MAC address."
    assert make_port(member, network, mac_address=mac).fault == (400, "HTTPBadRequest", text)


def test_a_members_mac_cannot_be_changed_later(member: Client, admin: Client, port: str) -> None:
    assert put_port(member, port, mac_address="00:00:5e:00:01:44").fault == (
        403,
        "PolicyNotAuthorized",
        "(rule:update_port and rule:update_port:mac_address) is disallowed by policy",
    )
    assert put_port(admin, port, mac_address="00:00:5e:00:01:44").status == 200


def test_a_refused_port_leaves_nothing(member: Client, network: Network) -> None:
    taken = addresses(make_port(member, network))[0]
    refused = make_port(member, network, mac_address="00:00:5e:00:01:36", fixed_ips=[{"ip_address": taken}])
    assert refused.fault[:2] == (409, "IpAddressAlreadyAllocated")
    assert make_port(member, network, mac_address="00:00:5e:00:01:36").status == 201


def test_addresses_can_be_changed(member: Client, network: Network, port: str) -> None:
    own = get_port(member, port)["fixed_ips"][0]["ip_address"]
    changed = put_port(member, port, fixed_ips=[{"ip_address": own}, {"ip_address": "10.200.51.12"}])
    assert set(addresses(changed)) == {own, "10.200.51.12"}
    taken = addresses(make_port(member, network))[0]
    assert put_port(member, port, fixed_ips=[{"ip_address": taken}]).fault[:2] == (409, "IpAddressAlreadyAllocated")
    assert addresses(put_port(member, port, fixed_ips=[])) == []

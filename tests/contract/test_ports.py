"""Ports: addresses, MACs, what is refused and in which words."""

from __future__ import annotations

from ipaddress import IPv4Address

from tests.contract.client import Client
from tests.contract.places import Network, addresses, make_port


def test_addresses_come_from_the_pool(member: Client, network: Network) -> None:
    [address] = addresses(make_port(member, network))
    assert IPv4Address("10.200.51.32") <= IPv4Address(address) <= IPv4Address("10.200.51.254")
    assert len(addresses(make_port(member, network, fixed_ips=[{"subnet_id": network.subnet_id}]))) == 1
    assert addresses(make_port(member, network, fixed_ips=[])) == []

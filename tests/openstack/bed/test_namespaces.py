"""The bed's network: every command that makes something makes it in a namespace."""

from __future__ import annotations

from ipaddress import ip_interface
from itertools import pairwise

from tests.openstack.bed import namespaces
from tests.openstack.bed.model import HYPERVISORS, PUBLIC_ADDRESS, WIRE


def test_nothing_is_made_in_the_machines_own_namespace() -> None:
    for command in namespaces.add_commands():
        assert command[:2] in (["ip", "netns"], ["ip", "-n"]), command
        assert command[2] in ("add", "exec") or command[2] in namespaces.NAMES, command


def test_both_ends_of_a_link_come_into_being_in_their_namespaces() -> None:
    made = [command for command in namespaces.add_commands() if "veth" in command]
    assert len(made) == len(namespaces.legs()) == 2 + 3 * len(HYPERVISORS)
    for command in made:
        assert command[1:3] == ["-n", WIRE]
        assert ("netns", command[-1]) in pairwise(command)
        assert command[-1] in namespaces.NAMES


def test_names_fit_the_kernel_and_addresses_are_of_their_own() -> None:
    legs = namespaces.legs()
    assert all(len(name) <= 15 for leg in legs for name in (leg.port, leg.bridge))
    assert len({leg.port for leg in legs}) == len(legs)
    addresses = [ip_interface(leg.address) for leg in legs if leg.address]
    assert len({each.ip for each in addresses}) == len(addresses)
    assert PUBLIC_ADDRESS in {str(each.ip) for each in addresses}


def test_checksums_are_complete_on_every_leg() -> None:
    off = [command for command in namespaces.add_commands() if "ethtool" in command]
    assert {(command[3], command[6]) for command in off} == {(leg.netns, leg.bridge) for leg in namespaces.legs()}

"""The modes on a real cloud: a virtual MAC is not delivered where port security holds it to a port, else it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.main_job import eventually
from tests.openstack.running import Person, create, differences, name_of, on, state
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600), pytest.mark.usefixtures("equipped")]

VIRTUAL_MAC = "00:00:5e:00:01:01"
OWN_VIP = "10.200.51.20"
LEARNED_S = 0.6
"""So much later than its bound a move was seen (0.5 s at most) where a switch in user space has to learn the MAC."""


@pytest.fixture
def insecure(site: Site, together: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Two nodes without port security, which is given back."""
    net = site.member.network
    ports = [site.servers[name].port_id for name in together]
    for port in ports:
        net.update_port(port, security_groups=[], port_security_enabled=False)
    yield together
    for port in ports:
        net.update_port(port, port_security_enabled=True, security_groups=[site.group.id])


@pytest.fixture
def own_port(site: Site) -> Iterator[None]:
    """A reservation port of the user's own, whose MAC is any."""
    net = site.member.network
    fixed = {"subnet_id": site.subnet.id, "ip_address": OWN_VIP}
    port = net.create_port(network_id=site.network.id, name="my-vip", fixed_ips=[fixed])
    yield
    net.delete_port(port.id)


def test_vmac_without_port_security_works(site: Site, person: Person, insecure: tuple[str, str]) -> None:
    # OVN delivers the virtual MAC to the port that has it: behind haos's reservation there is nobody.
    proven(site, person, insecure)


def test_vmac_without_port_security_works_on_a_port_of_the_users_own(
    site: Site, person: Person, insecure: tuple[str, str], own_port: None
) -> None:
    proven(site, person, insecure, "--vip", OWN_VIP)


def proven(site: Site, person: Person, nodes: tuple[str, str], *more: str) -> None:
    """See that mode vmac works: clients are told the virtual MAC, and it moves, as quickly as the switch learns."""
    before = state(site, *nodes)
    with person.pair(nodes, "--mode", "vmac", "--no-verify", *more):
        [reservation] = site.member.network.ports(device_owner="haos:vip", network_id=site.network.id)
        assert reservation.mac_address != VIRTUAL_MAC
        vip = reservation.fixed_ips[0]["ip_address"]
        asked = f"sudo ip neigh flush to {vip}; ping -c 2 -W 2 {vip} >/dev/null; ip neigh show {vip}"
        assert eventually(lambda: VIRTUAL_MAC in on(site, "observer", asked, ok=False))
        faults = ("--fault", "stop", "--fault", "kill")
        report = json.loads(person.haos("failover-test", name_of(nodes), *faults, "-f", "json", code=None).stdout)
        assert [leg["from"] for leg in report["legs"]] == [*nodes, *nodes]
        for leg in report["legs"]:
            assert not leg["open"]
            assert leg["outage_s"] <= leg["bound_s"] + LEARNED_S, leg["reason"]
    assert differences(before, state(site, *nodes)) == []


# Last: the OVS agent keeps its flow for the virtual MAC when the pairs are gone, and leads frames for it by that one.
def test_vmac_fails_with_the_reason_and_is_undone(site: Site, person: Person, together: tuple[str, str]) -> None:
    refused(site, person, together)


def refused(site: Site, person: Person, nodes: tuple[str, str]) -> None:
    """See that mode vmac is tried, fails, and leaves nothing."""
    before = state(site, *nodes)
    failed = person.haos(*create(site, nodes, "--mode", "vmac"), code=4)
    assert "the pair was undone" in failed.stderr
    assert "want --mode garp" in failed.stderr
    assert differences(before, state(site, *nodes)) == []

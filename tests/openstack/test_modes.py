"""The modes on a real cloud: a virtual MAC is not delivered where port security holds it to a port, else it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openstack.running import Person, create, differences, name_of, on, state
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600), pytest.mark.usefixtures("equipped")]

VIRTUAL_MAC = "00:00:5e:00:01:01"
OWN_VIP = "10.200.51.20"


def test_vmac_fails_with_the_reason_and_is_undone(site: Site, person: Person, together: tuple[str, str]) -> None:
    refused(site, person, together)


def refused(site: Site, person: Person, nodes: tuple[str, str]) -> None:
    """See that mode vmac is tried, fails, and leaves nothing."""
    before = state(site, *nodes)
    failed = person.haos(*create(site, nodes, "--mode", "vmac"), code=4)
    assert "the pair was undone" in failed.stderr
    assert "want --mode garp" in failed.stderr
    assert differences(before, state(site, *nodes)) == []


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
    """See that mode vmac works: at once, and over faults."""
    before = state(site, *nodes)
    with person.pair(nodes, "--mode", "vmac", *more) as created:
        [reservation] = site.member.network.ports(device_owner="haos:vip", network_id=site.network.id)
        assert reservation.mac_address != VIRTUAL_MAC
        assert f"({VIRTUAL_MAC})" in created.stdout
        asked = f"sudo ip neigh flush to {created.vip}; ping -c 2 -W 2 {created.vip}; ip neigh show {created.vip}"
        assert VIRTUAL_MAC in on(site, "observer", asked)
        person.haos("failover-test", name_of(nodes), "--fault", "stop", "--fault", "kill")
    assert differences(before, state(site, *nodes)) == []

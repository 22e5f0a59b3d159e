"""The reservation port whose MAC is the virtual router's: it locks the VRID, and harms nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openstack.exceptions import ConflictException

from tests.openstack.running import Person, Run, name_of, on
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600), pytest.mark.usefixtures("equipped")]

VIRTUAL_MAC = "00:00:5e:00:01:01"


@pytest.fixture(scope="module")
def created(site: Site, person: Person, together: tuple[str, str]) -> Iterator[Run]:
    """A pair on one hypervisor, proven."""
    with person.pair(together) as made:
        yield made


def test_the_vip_is_answered_by_its_node_and_moves(
    site: Site, person: Person, together: tuple[str, str], created: Run
) -> None:
    [reservation] = site.member.network.ports(device_owner="haos:vip", network_id=site.network.id)
    assert reservation.mac_address == VIRTUAL_MAC
    assert reservation.fixed_ips[0]["ip_address"] == created.vip
    asked = f"sudo ip neigh flush to {created.vip}; ping -c 4 -i 0.2 -W 2 {created.vip}; ip neigh show {created.vip}"
    seen = on(site, "observer", asked)
    assert " 0% packet loss" in seen
    assert site.servers[together[0]].mac in seen
    assert VIRTUAL_MAC not in seen
    person.haos("failover-test", name_of(together), "--fault", "kill", "--fault", "partition")


def test_a_second_port_with_that_mac_is_refused(site: Site, created: Run) -> None:
    with pytest.raises(ConflictException) as refused:
        site.member.network.create_port(network_id=site.network.id, mac_address=VIRTUAL_MAC)
    assert refused.value.status_code == 409
    assert "MacAddressInUse" in str(refused.value.response.json())

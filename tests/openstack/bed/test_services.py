"""The bed that is up: its services answer those that they should, and both hypervisors are at work."""

from __future__ import annotations

import subprocess
from typing import Any

import openstack
import pytest
from openstack.exceptions import ForbiddenException

from tests.openstack.bed import seed
from tests.openstack.bed.model import Bed

pytestmark = pytest.mark.openstack
AGENTS = {"ovn": "OVN Controller Gateway agent", "ovs": "Open vSwitch agent"}
TENANT_MTU = {"ovn": 1442, "ovs": 1450}
"""What 1500 bytes leave of a packet in Geneve, as OVN reckons it, and in VXLAN."""


def connect(role: str = "") -> Any:
    return openstack.connect(cloud=f"haos-openstack{role}")


def test_the_members_see_what_is_seeded(bed: Bed) -> None:
    for role in ("", "-reader", "-other"):
        cloud = connect(role)
        assert cloud.network.find_network(seed.PUBLIC).is_router_external
        assert cloud.compute.find_flavor(seed.FLAVOR) is not None
        assert cloud.image.find_image(seed.IMAGE).status == "active"


def test_both_hypervisors_are_up_for_nova_and_for_neutron(bed: Bed) -> None:
    hosts = {each.host for each in bed.hypervisors}
    admin = connect("-admin")
    services = admin.compute.services(binary="nova-compute")
    assert {each.host for each in services if each.state == "up"} == hosts
    agents = admin.network.agents(agent_type=AGENTS[bed.backend])
    assert {each.host for each in agents if each.is_alive} == hosts


def test_routers_have_an_l3_agent_where_the_backend_wants_one(bed: Bed) -> None:
    agents = list(connect("-admin").network.agents(agent_type="L3 agent"))
    assert [each.is_alive for each in agents] == ([True] if bed.backend == "ovs" else [])


def test_a_members_network_gets_the_backends_mtu_and_a_reader_gets_none(bed: Bed) -> None:
    member = connect().network
    made = member.create_network(name="bed-mtu")
    try:
        assert made.mtu == TENANT_MTU[bed.backend]
    finally:
        member.delete_network(made)
    with pytest.raises(ForbiddenException):
        connect("-reader").network.create_network(name="bed-refused")


def test_the_switch_of_each_hypervisor_takes_guests(bed: Bed) -> None:
    for each in bed.hypervisors:
        command = [
            "ovs-vsctl",
            "--timeout=20",
            f"--db=unix:{each.ovsdb}",
            "get",
            "bridge",
            each.bridge,
            "datapath_type",
        ]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "netdev"

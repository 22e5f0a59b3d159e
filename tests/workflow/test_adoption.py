"""A reservation port of the user's own is adopted, and given back."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.core.model import AddressPair, Port
from haos.errors import CloudError, HaosError, UnsatisfiableError
from haos.workflow.create import create
from haos.workflow.teardown import teardown
from tests.fakes import PROJECT, World, context_of, howto_world
from tests.workflow.changed import HOWTO, planned, run


def free_port(world: World, mac: str = "fa:16:3e:00:00:99", address: str = "10.200.51.20", **more: str) -> Port:
    subnet = next(iter(world.subnets.values()))
    made = next(port for port in world.ports.values() if port.device_id)
    port = replace(
        made,
        id=world.new_id(),
        project_id=PROJECT,
        mac=mac,
        fixed_ips=(replace(made.fixed_ips[0], address=ip_address(address), subnet_id=subnet.id),),
        name="my-vip",
        device_id=more.get("device_id", ""),
        device_owner="",
        description="",
        pairs=(),
        group_ids=(),
    )
    world.ports[port.id] = port
    return port


@pytest.mark.parametrize(("mac", "vrid"), [("fa:16:3e:00:00:99", 1), ("00:00:5e:00:01:4d", 77)])
def test_a_free_reservation_port_is_adopted_and_given_back(mac: str, vrid: int) -> None:
    world = howto_world(keepalived="2.2.7")
    port = free_port(world, mac)
    before = world.snapshot()
    created = run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))
    assert created.proven
    assert created.pair.reservation_id == port.id
    assert created.pair.vrid == vrid
    assert world.ports[port.id].name == "my-vip"
    assert not run(world).changed
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_the_vrid_of_an_adopted_port_is_taken_for_others() -> None:
    world = howto_world()
    free_port(world)
    run(world, replace(HOWTO, vip=ip_address("10.200.51.20"), name="one"))
    assert planned(world, replace(HOWTO, name="two")).pair.vrid == 2


def test_a_port_in_use_is_not_adopted() -> None:
    world = howto_world()
    free_port(world, device_id="somebody")
    with pytest.raises(UnsatisfiableError, match="fixed IP of port my-vip"):
        run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))


def test_adoption_that_fails_is_given_back() -> None:
    world = howto_world(keepalived="2.2.7")
    free_port(world)
    before = world.snapshot()
    world.takeover_s = 2.0
    with pytest.raises(HaosError):
        run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))
    assert world.snapshot() == before


def test_a_port_that_somebody_else_adopts_first_stays_his() -> None:
    world = howto_world(keepalived="2.2.7")
    free_port(world)
    request = replace(HOWTO, vip=ip_address("10.200.51.20"))
    slow = planned(world, replace(request, name="slow"))
    run(world, replace(request, name="quick"))
    before = world.snapshot()
    with pytest.raises(CloudError, match="changed"):
        create(slow, context_of(world), lambda _: None)
    assert world.snapshot() == before


def test_what_the_howto_does_by_hand_is_adopted() -> None:
    world = howto_world(keepalived="2.2.7")
    free_port(world)
    for port in [port for port in world.ports.values() if port.device_owner == "compute:nova"][:2]:
        mine = AddressPair("10.200.51.20", port.mac)
        world.ports[port.id] = replace(port, pairs=(*port.pairs, mine))
    before = world.snapshot()
    created = run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))
    assert created.proven
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before

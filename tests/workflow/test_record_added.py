"""What the record says that haos added is believed only as far as the nodes' files and the marks say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address

import pytest

from haos.core.model import (
    Added,
    AddressPair,
    FloatingIp,
    OwnFloatingIp,
    ServiceCheck,
)
from haos.workflow import repair
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.status import status
from haos.workflow.teardown import teardown
from tests.fakes import World, context_of, howto_world, port_of
from tests.records import edit_record, recorded
from tests.workflow.tampering import HOWTO, NAME, run


@dataclass(frozen=True)
class Flags:
    """What the record says that haos added, beyond or below what it did add."""

    more: Added = Added.NOTHING
    less: Added = Added.NOTHING


EVERYTHING = Added.PAIR | Added.VMAC | Added.GROUP | Added.PACKAGE


@pytest.mark.parametrize(
    "flags",
    [
        Flags(more=Added.PAIR),
        Flags(more=Added.VMAC),
        Flags(more=Added.PACKAGE),
        Flags(more=EVERYTHING),
        Flags(less=Added.PAIR),
        Flags(less=Added.GROUP),
        Flags(less=EVERYTHING),
    ],
    ids=str,
)
@pytest.mark.parametrize("again", [False, True], ids=["teardown", "create, then teardown"])
def test_what_was_there_before_stays_and_what_haos_added_goes(flags: Flags, again: bool) -> None:
    """The first node had keepalived, and both address pairs, before the pair was made."""
    world = howto_world()
    vip = ip_address("10.200.51.2")
    first = port_of(world, "ha_first")
    own = AddressPair(str(vip), first.mac), AddressPair(str(vip), "00:00:5e:00:01:01")
    world.ports[first.id] = replace(first, pairs=(*first.pairs, *own))
    world.nodes[first.device_id].package = "2.2.7"
    before = world.snapshot()
    run(world, replace(HOWTO, vip=vip))
    known = recorded(world).members
    assert known[0].added == Added.GROUP
    edit_record(world, members=tuple(replace(one, added=(one.added | flags.more) & ~flags.less) for one in known))
    seen = status(NAME, None, context_of(world))
    assert [one.grave for one in seen.troubles if one.code == "record"] == [False]
    if again:
        assert run(world).changed
        assert recorded(world).members == known
        assert not [one for one in status(NAME, None, context_of(world)).troubles if one.code == "record"]
    torn = teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before
    kept = [line for line in torn.kept if "the nodes' own files do not" in line]
    assert len(kept) == (0 if again else len([one for one in (Added.PAIR, Added.VMAC) if one in flags.more]))


@pytest.mark.parametrize("taken", [None, IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")], ids=str)
def test_a_floating_ip_of_somebody_else_stays_his(taken: IPv4Address | None) -> None:
    world = howto_world()
    web = port_of(world, "observer")
    for last, port in ((7, web.id), (8, None)):
        address = ip_address(f"203.0.113.{last}")
        world.floating[f"fip-{last}"] = FloatingIp(f"fip-{last}", address, "ext", port, "ACTIVE")
    before = world.snapshot()
    run(world)
    edit_record(world, floating=OwnFloatingIp(taken))
    assert not status(NAME, None, context_of(world)).healthy
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


KINDS = {
    "garp": HOWTO,
    "nopreempt": replace(HOWTO, preempt=False),
    "vmac": replace(HOWTO, mode=ModeChoice.VMAC),
}


@pytest.mark.parametrize("lost", [False, True], ids=["whole", "an address pair is lost"])
@pytest.mark.parametrize(
    "flags",
    [Flags(), Flags(more=Added.PAIR), Flags(more=EVERYTHING), Flags(less=Added.VMAC), Flags(less=EVERYTHING)],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_repair_weighs_what_haos_added_also_where_nodes_keep_different_checks(
    kind: str, flags: Flags, lost: bool
) -> None:
    """Their files are left alone then; ports and record are not, and nothing that was there before is claimed."""
    vip = ip_address("10.200.51.2")
    request = replace(KINDS[kind], vip=vip, checks=(ServiceCheck("tcp:80"),))
    world, before = made_where_pairs_were(request)
    other, _ = made_where_pairs_were(replace(request, checks=(ServiceCheck("tcp:443"),)))
    for node in world.nodes.values():
        if node.instance.name == "ha_second":
            node.files = dict(next(one for one in other.nodes.values() if one.mac == node.mac).files)
    known = recorded(world)
    edit_record(
        world, members=tuple(replace(one, added=(one.added | flags.more) & ~flags.less) for one in known.members)
    )
    if lost:
        port = port_of(world, "ha_second")
        world.ports[port.id] = replace(port, pairs=())
    files = [dict(node.files) for node in world.nodes.values()]
    ports = {name: port_of(world, name).pairs for name in request.nodes}
    ctx = context_of(world)
    ended = repair.repair(repair.prepare(None, None, ctx, verify=False), ctx, lambda _: None)
    assert "service-checks" in [one.code for one in ended.beyond]
    assert [dict(node.files) for node in world.nodes.values()] == files
    assert recorded(world) == known
    assert port_of(world, "ha_first").pairs == ports["ha_first"]
    assert any(one.ip_address == str(vip) for one in port_of(world, "ha_second").pairs)
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def made_where_pairs_were(request: CreateRequest) -> tuple[World, object]:
    """Make a pair whose first node had keepalived, and both address pairs, before; return what was then, too."""
    world = howto_world()
    first = port_of(world, "ha_first")
    own = AddressPair(str(request.vip), first.mac), AddressPair(str(request.vip), "00:00:5e:00:01:01")
    world.ports[first.id] = replace(first, pairs=(*first.pairs, *own))
    world.nodes[first.device_id].package = "2.2.7"
    before = world.snapshot()
    run(world, request)
    return world, before

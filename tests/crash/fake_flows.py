"""What is enumerated on the in-memory world: each command of haos that changes something, killed at every effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from haos.core.floating import FloatingWish
from haos.core.model import ServiceCheck
from haos.workflow.create import create, prepare
from haos.workflow.repair import prepare as prepare_repair
from haos.workflow.repair import repair
from haos.workflow.replace import ReplaceRequest, replace_node
from haos.workflow.replace import prepare as prepare_replace
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.teardown import teardown
from tests.fakes import World, add_instance, context_of, howto_world, routed_world
from tests.fakes.floating import add_floating_ip

Act = Callable[[World], None]
PAIR = CreateRequest("ha_lab", ("ha_first", "ha_second"))
WEB = replace(PAIR, name="web", checks=(ServiceCheck("tcp:80"),), verify=False)
BESIDE = replace(PAIR, name="beside", nodes=("ha_second", "ha_first"), verify=False)
FIRST = replace(PAIR, verify=False)
BOTH = ("ha_first-ha_second", "beside")


@dataclass(frozen=True)
class FakeFlow:
    """One command, begun from `bare` after `setup`; the pairs named `pairs` are taken away to come back to bare."""

    name: str
    bare: Callable[[], World]
    command: Act
    setup: Sequence[Act] = ()
    pairs: Sequence[str] = ("ha_first-ha_second",)


def creating(request: CreateRequest) -> Act:
    """Return a create."""

    def act(world: World) -> None:
        ctx = context_of(world)
        create(prepare(request, ctx), ctx, lambda _: None)

    return act


def tearing_down(name: str | None = None, *, purge: bool = True) -> Act:
    """Return a teardown; of a pair that is not there nothing is to be taken away."""

    def act(world: World) -> None:
        marks = {f"haos-{name}"} if name else {port.device_id for port in world.ports.values()}
        if any(port.device_owner == "haos:vip" and port.device_id in marks for port in world.ports.values()):
            teardown(name, purge=purge, ctx=context_of(world))

    return act


def preinstalled() -> World:
    """Return the howto's cloud with keepalived on its nodes."""
    return howto_world(keepalived="2.2.7")


def learning() -> World:
    """Return the same on a network on which the virtual MAC may move."""
    return howto_world(keepalived="2.2.7", fabric="learning")


def with_spare() -> World:
    """Return the same with a router, and a floating IP of the project that leads nowhere."""
    world = routed_world(keepalived="2.2.7")
    add_floating_ip(world, 99, description="of the shop")
    return world


def drifting(world: World) -> None:
    """Undo by hand what a pair stands on: address pairs, the group, a file, the daemon."""
    for port in list(world.ports.values()):
        if port.device_owner == "compute:nova" and port.pairs:
            world.ports[port.id] = replace(port, pairs=(), group_ids=port.group_ids[:1])
    first, second, _ = world.nodes.values()
    first.files.clear()
    first.daemon = second.enabled = False
    world.elect()


def with_another() -> World:
    """Return the howto's cloud with one instance more."""
    world = howto_world()
    add_instance(world, "ha_third", 35, "fa:16:3e:00:00:35")
    return world


def replacing(world: World, *, verify: bool = True) -> None:
    """Replace the Active node of the pair that is named after its nodes."""
    ctx = context_of(world)
    request = ReplaceRequest("ha_first", "ha_third", "ha_first-ha_second", verify=verify, purge=True)
    replace_node(prepare_replace(request, ctx), ctx)


def replacing_unproven(world: World) -> None:
    """Do that where the only VIP of this world is two pairs': no proof is to be had of it."""
    replacing(world, verify=False)


def repairing(world: World) -> None:
    """Repair the only pair."""
    ctx = context_of(world)
    repair(prepare_repair(None, None, ctx), ctx, lambda _: None)


CHANGES = {
    "interval": replace(PAIR, advertisement_interval_s=0.1),
    "priorities": replace(PAIR, priorities=(100, 200)),
    "nopreempt": replace(PAIR, preempt=False),
    "checks": replace(PAIR, checks=(ServiceCheck("tcp:80"),)),
    "bfd": replace(PAIR, bfd=True),
    "vmac": replace(PAIR, mode=ModeChoice.VMAC),
}
FLOATING = {
    "made": replace(PAIR, floating=FloatingWish()),
    "taken": replace(PAIR, floating=FloatingWish(address=IPv4Address("172.24.4.99"))),
}


def changing_mode(before: ModeChoice, after: ModeChoice, *, beside: bool) -> FakeFlow:
    """Return a change of mode of a pair with a service check, alone or with another pair on the same nodes."""
    setup = [creating(BESIDE)] * beside + [creating(replace(WEB, mode=before))]
    name = f"mode {after}{' beside another' if beside else ''}"
    pairs = ("web", "beside") if beside else ("web",)
    return FakeFlow(name, learning, creating(replace(WEB, mode=after)), setup, pairs)


FLOWS = (
    FakeFlow("create", howto_world, creating(PAIR)),
    FakeFlow("create unwatched", howto_world, creating(replace(PAIR, watched=False))),
    FakeFlow("create unverified", preinstalled, creating(replace(PAIR, verify=False))),
    FakeFlow("create beside another", preinstalled, creating(WEB), [creating(BESIDE)], ("web", "beside")),
    FakeFlow("teardown", preinstalled, tearing_down(purge=False), [creating(PAIR)]),
    FakeFlow("teardown purge", howto_world, tearing_down(), [creating(PAIR)]),
    FakeFlow(
        "teardown beside another",
        howto_world,
        tearing_down("web"),
        [creating(BESIDE), creating(WEB)],
        ("web", "beside"),
    ),
    *(
        FakeFlow(f"change {what}", preinstalled, creating(request), [creating(PAIR)])
        for what, request in CHANGES.items()
    ),
    *(
        changing_mode(before, after, beside=beside)
        for before, after in ((ModeChoice.GARP, ModeChoice.VMAC), (ModeChoice.VMAC, ModeChoice.GARP))
        for beside in (False, True)
    ),
    *(
        FakeFlow(f"floating {what} {'later' if first else 'new'}", with_spare, creating(request), first)
        for what, request in FLOATING.items()
        for first in ((), [creating(PAIR)])
    ),
    *(
        FakeFlow(f"teardown floating {what}", with_spare, tearing_down(), [creating(FLOATING[what])])
        for what in FLOATING
    ),
    FakeFlow("replace", with_another, replacing, [creating(PAIR)]),
    FakeFlow("replace beside another", with_another, replacing_unproven, [creating(BESIDE), creating(FIRST)], BOTH),
    FakeFlow(
        "repair", lambda: howto_world(keepalived="2.2.7", existing=False), repairing, [creating(PAIR), drifting]
    ),
)
"""A command that changes something gets a line here."""

"""Pairs of every kind whose VIP is moved, over the in-memory world."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

from haos.workflow.create import create
from haos.workflow.create import prepare as prepare_create
from haos.workflow.request import CreateRequest
from haos.workflow.switchover import Switched, prepare, switchover
from tests.fakes import World, add_instance, context_of, howto_world, node
from tests.records import recorded

DELAY_S = 1


HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), preempt_delay_s=DELAY_S)


KINDS = {
    "preempt": HOWTO,
    "nopreempt": replace(HOWTO, preempt_delay_s=None, preempt=False),
    "bfd": replace(HOWTO, bfd=True),
    "three": replace(HOWTO, nodes=("ha_first", "ha_second", "ha_third")),
}


def make(world: World, request: CreateRequest = HOWTO) -> None:
    ctx = context_of(world)
    assert create(prepare_create(request, ctx), ctx, lambda _: None).proven


@cache
def _made(kind: str) -> World:
    world = howto_world(keepalived="2.2.7")
    add_instance(world, "ha_third", 35, "fa:16:3e:00:00:35")
    world.nodes[next(i.id for i in world.instances.values() if i.name == "ha_third")].package = "2.2.7"
    for one in world.nodes.values():
        one.preempt_delay_s = DELAY_S
    make(world, KINDS[kind])
    world.effects.names.clear()
    return world


def made(kind: str = "preempt") -> World:
    return copy.deepcopy(_made(kind))


def move(world: World, to: str | None = None, *, back: bool = False) -> Switched:
    ctx = context_of(world)
    return switchover(prepare(None, to, back=back, observer_ref=None, ctx=ctx), ctx)


def priorities(world: World) -> dict[str, int]:
    names = {port.id: world.instances[port.device_id].name for port in world.ports.values() if port.device_id in
             world.instances}  # fmt: skip
    return {names[member.port_id]: member.priority for member in recorded(world).members}


def holder(world: World) -> str | None:
    world.clock.sleep(30)  # longer than any preempt delay
    return next((one.instance.name for one in world.nodes.values() if one.mac == world.holder()), None)


def settled_on(world: World, name: str) -> None:
    """The VIP is there and stays; record, files and weights agree on it."""
    assert holder(world) == name
    agreed = priorities(world)
    assert max(agreed, key=lambda one: agreed[one]) == name
    for each in agreed:
        assert node(world, each).priority == agreed[each]
        assert not node(world, each).weights
        assert not node(world, each).withdrawn
        assert not node(world, each).pending
    assert prepare(None, name, back=False, observer_ref=None, ctx=context_of(world)).move.nothing_to_do


@cache
def effects_of(kind: str) -> tuple[str, ...]:
    world = made(kind)
    move(world)
    return tuple(world.effects.names)

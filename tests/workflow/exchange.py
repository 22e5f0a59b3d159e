"""What the tests of an exchange of nodes share: pairs of all kinds, and how the node that goes is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from haos.workflow.create import create
from haos.workflow.create import prepare as prepare_create
from haos.workflow.replace import Replaced, ReplaceRequest, prepare, replace_node
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.switchover import prepare as prepare_switchover
from haos.workflow.switchover import switchover
from tests.fakes import FakeNode, World, add_instance, context_of, howto_world, node, port_of
from tests.records import recorded

NAME = "web"
DELAY_S = 1
NODES = ("ha_first", "ha_second", "ha_third", "ha_fourth", "ha_fifth")
NEW = "ha_new"
OLD = "ha_first"


def request_for(count: int) -> CreateRequest:
    return CreateRequest("ha_lab", NODES[:count], NAME, preempt_delay_s=DELAY_S)


KINDS = {
    "two": request_for(2),
    "three": request_for(3),
    "five": request_for(5),
    "nopreempt": replace(request_for(2), preempt_delay_s=None, preempt=False),
    "bfd": replace(request_for(2), bfd=True),
    "vmac": replace(request_for(2), mode=ModeChoice.VMAC),
    "unsecured": request_for(2),
}


def bare(kind: str = "two") -> World:
    """The cloud before there was a pair, all packages there but on the new node."""
    world = howto_world(keepalived="2.2.7")
    for last, name in enumerate((*NODES[2:], NEW), 35):
        add_instance(world, name, last, f"fa:16:3e:00:00:{last:02x}")
    for one in world.nodes.values():
        one.package = None if one.instance.name == NEW else "2.2.7"
        one.preempt_delay_s = DELAY_S
    if kind == "unsecured":
        for port in list(world.ports.values()):
            world.ports[port.id] = replace(port, port_security=False, pairs=(), group_ids=())
    return world


@cache
def _made(kind: str) -> World:
    world = bare(kind)
    ctx = context_of(world)
    assert create(prepare_create(KINDS[kind], ctx), ctx, lambda _: None).proven
    world.effects.names.clear()
    return world


def made(kind: str = "two") -> World:
    return copy.deepcopy(_made(kind))


def at_work(world: World) -> None:
    """The node that goes is Active."""


def waiting(world: World) -> None:
    """The node that goes is a Backup."""
    ctx = context_of(world)
    switchover(prepare_switchover(None, "ha_second", back=False, observer_ref=None, ctx=ctx), ctx)
    world.clock.sleep(30)
    world.effects.names.clear()


def stopped(world: World) -> None:
    """keepalived on the node that goes was stopped, and disabled."""
    node(world, OLD).daemon = node(world, OLD).enabled = False
    _settled(world)


def gone(world: World) -> None:
    """The node that goes was deleted, and its port with it."""
    port = port_of(world, OLD)
    instance_gone(world)
    del world.ports[port.id]


def instance_gone(world: World) -> None:
    """The node that goes was deleted; its port is still there."""
    old = node(world, OLD)
    del world.instances[old.instance.id]
    del world.nodes[old.instance.id]
    _settled(world)


def silent(world: World) -> None:
    """The node that goes does not answer, and is forced."""
    old = node(world, OLD)
    world.unreachable.add(old.instance.id)
    old.daemon = False
    _settled(world)


def _settled(world: World) -> None:
    world.elect()
    world.clock.sleep(30)


STATES: dict[str, Callable[[World], None]] = {
    "active": at_work,
    "backup": waiting,
    "stopped": stopped,
    "gone": gone,
    "instance gone": instance_gone,
    "silent": silent,
}


def exchange(world: World, **wanted: object) -> Replaced:
    """Replace the old node by the new one."""
    ctx = context_of(world)
    request = ReplaceRequest(**{"old": old_ref(world), "new": NEW, "force": bool(world.unreachable), **wanted})  # type: ignore[arg-type]
    return replace_node(prepare(request, ctx), ctx)


def old_ref(world: World) -> str:
    """Return what names the old node: its name, or the id that the record has for its port."""
    there = any(one.instance.name == OLD and key in world.instances for key, one in world.nodes.items())
    members = recorded(world).members
    return OLD if there or members[0].port_id in by_port(world) else members[0].port_id


def by_port(world: World) -> dict[str, str]:
    """Return port id -> name of those who are there."""
    return {
        port.id: world.instances[port.device_id].name
        for port in world.ports.values()
        if port.device_id in world.instances
    }


def priorities(world: World) -> dict[str, int]:
    names = by_port(world)
    return {names.get(one.port_id, one.port_id): one.priority for one in recorded(world).members}


def holder(world: World) -> str | None:
    world.clock.sleep(30)  # longer than any preempt delay
    return next((one.instance.name for one in world.nodes.values() if one.mac == world.holder()), None)


def lines_of(one: FakeNode) -> list[str]:
    """Return the lines of the pair's file on a node."""
    return next(file.text for file in one.files[NAME].files if file.path.endswith(f"/{NAME}.conf")).splitlines()


def settled(world: World, *names: str) -> None:
    """Exactly these are the pair: by the record, on the ports, in each other's files; nothing of others is left."""
    pair = recorded(world)
    assert list(priorities(world)) == list(names)
    group = next((one.id for one in world.groups.values() if one.name == f"haos-{NAME}"), None)
    addresses = {name: node(world, name).address for name in names}
    for one in world.nodes.values():
        name, silent = one.instance.name, one.instance.id in world.unreachable
        port = port_of(world, name)
        admitted = any(pair.vip in each.network for each in port.pairs if each.network.num_addresses == 1)
        assert admitted == (name in names and port.port_security), name
        if group:
            assert (group in port.group_ids) == (name in names), name
        if name in names:
            config = one.files[NAME]
            assert set(config.peers) == {addresses[peer] for peer in names if peer != name}
            assert (one.daemon, one.enabled, one.pending) == (True, True, False)
            assert f"    priority {next(m.priority for m in pair.members if m.port_id == port.id)}" in lines_of(one)
        elif not silent:
            assert not one.files, name
        assert silent or not (one.weights or one.withdrawn), name
    if group:
        told = {str(rule.remote_ip).partition("/")[0] for rule in world.groups[group].rules}
        assert told == {str(address) for address in addresses.values()}

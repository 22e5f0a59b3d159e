"""Faults made through the API: announced before, undone after, whoever dies when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core import vrrp
from haos.core.fault import Guard
from haos.core.intent import Intent, intents_of, pending
from haos.core.model import Node, Pair, Port, Timing
from haos.errors import CloudError, ForbiddenError, LeftoverError, UnsatisfiableError
from haos.workflow import faults_cloud
from haos.workflow.cloud_side import PAUSE, PORT_DOWN, POWER_OFF, SIDES, CloudSide
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.intent import announced, refuse_pending, restore_intents, undo
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import find_pair, pair_nodes
from tests.fakes import FakeGuardian, Killed, World, context_of, howto_world, killed_at

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
CHANGES = {"port-down": ("port down", "port up"), "power-off": ("stop", "start"), "pause": ("pause", "unpause")}


@pytest.fixture
def world() -> World:
    made = howto_world()
    ctx = context_of(made)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    made.clock.sleep(10.0)
    made.effects.names.clear()
    return made


def find(world: World) -> tuple[Pair, Port, dict[str, Node], tuple[Port, ...]]:
    """Return the pair, its reservation, its nodes by port id, and the network's ports."""
    cloud = context_of(world).cloud
    pair, reservation = find_pair(cloud, None)
    return pair, reservation, *pair_nodes(cloud, pair)


def first(pair: Pair, nodes: dict[str, Node]) -> Node:
    return nodes[pair.members[0].port_id]


def make(side: CloudSide, world: World, ctx: Context) -> None:
    """Make a fault on the first node as a failover test does; nothing more than the fault, and its end."""
    pair, _, nodes, _ = find(world)
    node = first(pair, nodes)
    with announced(side, node, pair, 60.0, ctx):
        side.inject(ctx.cloud, node.port)
        world.clock.sleep(3.0)


def restore(world: World) -> list[str]:
    """Do what the next haos does."""
    pair, reservation, nodes, ports = find(world)
    return restore_intents(pair, reservation, nodes, ports, context_of(world))


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
def test_it_is_announced_then_made_then_undone_then_taken_back(world: World, side: CloudSide) -> None:
    before = world.snapshot()
    holder = world.holder()
    moved = []

    def look(index: int, name: str, when: str) -> None:
        if (name, when) == ("untag", "before"):
            moved.append(world.holders[-1][1])

    world.effects.strike = look
    make(side, world, context_of(world))
    down, up = CHANGES[side.fault]
    assert world.effects.names == ["tag", f"{down} ha_first", f"{up} ha_first", "untag"]
    assert world.snapshot() == before
    assert [watch.ended for watch in world.watches] == ["done"]
    world.clock.sleep(10.0)
    assert moved == [holder]
    assert world.holder() == holder


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
def test_meanwhile_the_other_node_has_the_vip(world: World, side: CloudSide) -> None:
    pair, _, nodes, _ = find(world)
    node = first(pair, nodes)
    ctx = context_of(world)
    assert world.holder() == node.port.mac
    with announced(side, node, pair, 60.0, ctx):
        side.inject(ctx.cloud, node.port)
        world.clock.sleep(1.0)
        assert world.holder() == nodes[pair.members[1].port_id].port.mac


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
@pytest.mark.parametrize("guardian_lives", [True, False])
def test_haos_killed_at_every_effect_leaves_what_guardian_or_next_haos_undoes(
    side: CloudSide, guardian_lives: bool
) -> None:
    for at in range(4):
        for when in ("before", "after"):
            world = howto_world()
            create(prepare(HOWTO, context_of(world)), context_of(world), lambda _: None)
            world.clock.sleep(10.0)
            before = world.snapshot()
            world.effects.names.clear()

            world.effects.strike = killed_at(at, when)
            with pytest.raises(Killed):
                make(side, world, context_of(world))
            world.effects.strike = lambda *_: None
            if guardian_lives:
                FakeGuardian(world).act()
            else:
                restore(world)
            assert world.snapshot() == before, (at, when)
            assert not pending(*find(world)[:2])


def test_a_fault_waits_for_its_guardian(world: World) -> None:
    ctx = replace(context_of(world), guardian=FakeGuardian(world, refuses="no login"))
    with pytest.raises(CloudError, match="no login"):
        make(PORT_DOWN, world, ctx)
    assert world.effects.names == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CloudError("Nova is away")])
def test_whatever_breaks_off_undoes_it(world: World, error: BaseException) -> None:
    before = world.snapshot()
    sleep = world.clock.sleep

    def break_off(seconds: float) -> None:
        world.clock.sleep = sleep  # type: ignore[method-assign]
        raise error

    world.clock.sleep = break_off  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        make(POWER_OFF, world, context_of(world))
    assert world.snapshot() == before
    assert world.effects.names == ["tag", "stop ha_first", "start ha_first", "untag"]
    assert [watch.ended for watch in world.watches] == ["nothing to undo"]


def test_without_an_announcement_nothing_is_made(world: World) -> None:
    def refuse(name: str) -> None:
        raise ForbiddenError(name)

    world.effects.strike = lambda index, name, when: refuse(name) if name == "tag" else None
    with pytest.raises(ForbiddenError):
        make(PORT_DOWN, world, context_of(world))
    assert world.effects.names == ["tag"]


def test_nova_takes_its_time(world: World) -> None:
    world.nova_s = 20.0
    before = world.snapshot()
    began_s = world.clock.now
    make(POWER_OFF, world, context_of(world))
    assert world.snapshot() == before
    assert 40.0 <= world.clock.now - began_s < 42.0


def test_what_cannot_be_undone_stays_announced_and_is_left_to_the_guardian(world: World) -> None:
    def break_start(index: int, name: str, when: str) -> None:
        if name == "port up ha_first" and world.clock.now < 1400.0:
            raise CloudError("Neutron is away")

    world.effects.strike = break_start
    with pytest.raises(LeftoverError, match="could not be undone: Neutron is away") as error:
        make(PORT_DOWN, world, context_of(world))
    assert error.value.hint == "undo: haos failover-test --restore ha_first-ha_second"
    assert [watch.ended for watch in world.watches] == ["undid it"]
    assert all(port.admin_up and not port.tags for port in world.ports.values())


def pend(world: World, side: CloudSide = PORT_DOWN) -> Intent:
    """Leave a fault as a haos that was killed does, its guardian too."""
    pair, _, nodes, _ = find(world)
    node = first(pair, nodes)
    intent = Intent(side.fault, node.port.id, 1795471060)
    cloud = context_of(world).cloud
    cloud.add_tag(pair.reservation_id, intent.tag)
    side.inject(cloud, node.port)
    return intent


def test_a_pending_fault_is_named_and_refused(world: World) -> None:
    pend(world)
    pair, reservation, nodes, _ = find(world)
    with pytest.raises(UnsatisfiableError, match="port-down on ha_first") as error:
        refuse_pending(pair, reservation, nodes)
    assert error.value.hint == "undo: haos failover-test --restore ha_first-ha_second"


def test_the_next_haos_says_what_it_undid(world: World) -> None:
    pend(world, PAUSE)
    assert restore(world) == ["undid pause on ha_first"]
    assert restore(world) == []


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
def test_an_instance_that_is_gone_is_no_obstacle(world: World, side: CloudSide) -> None:
    intent = pend(world, side)
    port = world.ports[intent.port_id]
    del world.instances[port.device_id]
    restore(world)
    assert all(port.admin_up and not port.tags for port in world.ports.values())


def test_a_port_that_is_gone_is_forgotten(world: World) -> None:
    intent = pend(world)
    del world.ports[intent.port_id]
    assert restore(world) == [f"forgot port-down on port {intent.port_id}, which is gone"]
    assert not any(port.tags for port in world.ports.values())


def test_a_tag_for_somebody_elses_port_is_never_acted_on(world: World) -> None:
    _, reservation, *_ = find(world)
    stranger = next(port for port in world.ports.values() if port.mac == "fa:16:3e:08:e6:15")
    cloud = context_of(world).cloud
    intent = Intent(POWER_OFF.fault, stranger.id, 5)
    cloud.set_port_up(stranger.id, False)
    cloud.add_tag(reservation.id, intent.tag)
    world.effects.names.clear()
    assert restore(world) == []
    assert world.effects.names == []
    assert intents_of(cloud.port(reservation.id)) == (intent,)


def test_no_right_to_undo_is_said_at_once(world: World) -> None:
    intent = pend(world)

    def refuse(*_: object) -> None:
        raise ForbiddenError("policy says no")

    ctx = context_of(world)
    ctx.cloud.set_port_up = refuse  # type: ignore[method-assign, assignment]
    began_s = world.clock.now
    with pytest.raises(ForbiddenError):
        undo(intent, world.ports[intent.port_id], ctx.cloud, ctx.clock)
    assert world.clock.now == began_s


def test_the_faults_are_guarded_by_the_guardian_and_bounded_as_a_crash() -> None:
    timing, backups = Timing(), [230]
    for fault in (faults_cloud.PORT_DOWN, faults_cloud.POWER_OFF, faults_cloud.PAUSE):
        assert isinstance(fault.make, CloudSide)
        assert fault.make is SIDES[fault.make.fault]
        assert fault.name == fault.make.fault
        assert (fault.guard, fault.cuts, fault.whole_node) == (Guard.GUARDIAN, True, True)
        assert fault.bound_s(timing, backups) == vrrp.bound_of_crash_s(timing, backups)

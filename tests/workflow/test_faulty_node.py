"""The in-memory node under faults behaves as a real one does, as far as a failover test looks."""

from __future__ import annotations

import pytest

from haos.core.fault import FaultOrder
from haos.core.model import Role
from haos.errors import RemoteError, StepError
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from tests.fakes import FakeNode, World, context_of, howto_world

PAIR = "ha_first-ha_second"


@pytest.fixture
def world() -> World:
    made = howto_world()
    ctx = context_of(made)
    create(prepare(CreateRequest("ha_lab", ("ha_first", "ha_second")), ctx), ctx, lambda _: None)
    made.clock.sleep(60.0)
    made.effects.names.clear()
    return made


def nodes_of(world: World) -> tuple[FakeNode, FakeNode]:
    first, second, *_ = world.nodes.values()
    return first, second


def order(world: World, fault: str, *, delay_s: float = 0.0) -> FaultOrder:
    vip = next(port for port in world.ports.values() if port.device_owner == "haos:vip").fixed_ips[0].address
    return FaultOrder(fault, PAIR, vip, "ens3", ":", ":", 30.0, delay_s)


@pytest.mark.parametrize("fault", ["withdraw", "stop", "kill", "partition", "link-down", "check-fail"])
def test_the_vip_moves_and_comes_back(world: World, fault: str) -> None:
    before = world.snapshot()
    first, second = nodes_of(world)
    at_s = first.inject(order(world, fault))
    assert at_s == first.wall_offset_s + world.clock.now
    assert world.snapshot() != before
    world.clock.sleep(0.1)
    assert world.holder() == second.mac
    with pytest.raises((StepError, RemoteError)):
        first.inject(order(world, fault))
    world.clock.sleep(40.0)
    assert world.holder() == first.mac, "the node's own timer ended it"
    assert world.snapshot() == before
    assert not first.heal()


@pytest.mark.parametrize("fault", ["hang", "vrrp-block"])
def test_both_answer_while_they_are_split(world: World, fault: str) -> None:
    first, second = nodes_of(world)
    sent = order(world, fault)
    for node in (first, second):
        node.watch(sent.vip, limit_s=100.0)
    first.inject(sent)
    world.clock.sleep(1.0)
    assert first.held_at(world.clock.now)
    assert second.held_at(world.clock.now)
    assert first.sight(PAIR, sent.vip).role is (Role.UNKNOWN if fault == "hang" else Role.ACTIVE)
    assert second.sight(PAIR, sent.vip).role is Role.ACTIVE
    assert first.heal()
    world.clock.sleep(1.0)
    assert not second.held_at(world.clock.now)
    assert first.watched().events == ()
    assert [event.held for event in second.watched().events] == [True, False]
    assert world.effects.names == [f"inject {fault} ha_first", "heal ha_first"]


def test_a_fault_that_cuts_comes_after_its_delay(world: World) -> None:
    first, second = nodes_of(world)
    sent = order(world, "partition", delay_s=2.0)
    first.watch(sent.vip, limit_s=100.0)
    at_s = first.inject(sent)
    assert world.holder() == first.mac
    world.clock.sleep(2.1)
    assert world.holder() == second.mac
    with pytest.raises(RemoteError):
        first.heal()
    world.clock.sleep(60.0)
    log = first.watched()
    assert log.injected_s == at_s
    assert log.healed_s == at_s + 28.0
    assert [event.held for event in log.events] == [False, True]
    first.unwatch()
    assert not first.watched().whole


def test_one_test_at_a_time(world: World) -> None:
    first, _ = nodes_of(world)
    first.watch(order(world, "stop").vip, limit_s=50.0)
    with pytest.raises(StepError, match="another failover test is at work on ha_first"):
        first.watch(order(world, "stop").vip, limit_s=50.0)
    world.clock.sleep(51.0)
    first.watch(order(world, "stop").vip, limit_s=50.0)


def test_a_reboot_forgets_what_was_written_down(world: World) -> None:
    first, _ = nodes_of(world)
    first.watch(order(world, "reboot").vip, limit_s=500.0)
    first.inject(order(world, "reboot", delay_s=1.0))
    world.clock.sleep(2.0)
    with pytest.raises(RemoteError):
        first.wall_s()
    world.clock.sleep(60.0)
    assert not first.watched().whole
    assert world.holder() == first.mac

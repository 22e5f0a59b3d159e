"""`failover-test` and the plan of a teardown over the in-memory world."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core.outage import Verdict
from haos.errors import (
    HaosError,
    LeftoverError,
    NotFoundError,
    RemoteError,
    UnsatisfiableError,
)
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import plan_teardown, teardown
from tests.failover import try_faults
from tests.fakes import World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


@pytest.fixture
def world() -> World:
    made = howto_world()
    ctx = context_of(made)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    made.effects.names.clear()
    return made


def test_every_fault_hits_the_active_node_and_is_restored(world: World) -> None:
    before = world.snapshot()
    report = try_faults(context_of(world), "withdraw", "stop")
    assert report.verdict is Verdict.PASS, report.reason
    assert [(leg.label, leg.origin, leg.target) for leg in report.legs] == [
        ("withdraw", "ha_first", "ha_second"),
        ("failback", "ha_second", "ha_first"),
        ("stop", "ha_first", "ha_second"),
        ("failback", "ha_second", "ha_first"),
    ]
    assert world.effects.names == [
        "inject withdraw ha_first",
        "heal ha_first",
        "inject stop ha_first",
        "heal ha_first",
    ]
    assert world.snapshot() == before


def test_the_outage_is_what_it_was(world: World) -> None:
    world.takeover_s = 0.07
    leg = try_faults(context_of(world), "stop").legs[0]
    assert leg.outage is not None
    assert leg.outage.outage_s == pytest.approx(0.07, abs=0.011)


def test_an_outage_over_the_bound_fails(world: World) -> None:
    world.takeover_s = 1.0
    report = try_faults(context_of(world), "stop")
    assert report.verdict is Verdict.FAIL
    assert "stop on ha_first" in report.reason


def test_a_lost_observer_is_unknown_never_zero(world: World) -> None:
    report = try_faults(context_of(world, lost="broken pipe"), "stop")
    assert report.verdict is Verdict.UNKNOWN
    assert "broken pipe" in report.reason


def test_the_node_is_restored_when_the_user_interrupts(world: World) -> None:
    before = world.snapshot()
    ctx = context_of(world)
    sleep = ctx.clock.sleep

    def interrupt(seconds: float) -> None:
        sleep(seconds)
        if "inject stop ha_first" in world.effects.names and "heal ha_first" not in world.effects.names:
            raise KeyboardInterrupt

    world.takeover_s = 60.0
    world.clock.sleep = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        try_faults(ctx, "stop")
    assert world.effects.names == ["inject stop ha_first", "heal ha_first"]
    assert world.snapshot() == before


def test_a_pair_that_is_not_healthy_is_refused_before_anything_is_done(world: World) -> None:
    for node in world.nodes.values():
        node.daemon = False
    world.holders = [(0.0, None)]
    with pytest.raises(UnsatisfiableError, match="is not fit to be tested: the nodes do not agree") as error:
        try_faults(context_of(world), "stop")
    assert error.value.hint == "haos status ha_first-ha_second"
    assert world.effects.names == []


def test_without_anybody_to_watch_it_refuses(world: World) -> None:
    observer = next(one for one in world.instances.values() if one.name == "observer")
    world.instances[observer.id] = replace(observer, name="somebody")
    with pytest.raises(NotFoundError, match="measure from"):
        try_faults(context_of(world), "withdraw", "stop")


def test_a_missing_node_is_named(world: World) -> None:
    second = next(one for one in world.instances.values() if one.name == "ha_second")
    del world.instances[second.id]
    with pytest.raises(UnsatisfiableError, match="not whole"):
        try_faults(context_of(world), "withdraw", "stop")


def test_the_plan_of_a_teardown_changes_nothing(world: World) -> None:
    before = world.snapshot()
    plan = plan_teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before
    assert sum("package keepalived" in line for line in plan.done) == 2
    assert sum("allowed address pair 10.200.51.2" in line for line in plan.done) == 2
    assert plan.done[-1].startswith("reservation port")


def test_teardown_with_a_node_out_of_reach_keeps_the_reservation(world: World) -> None:
    world.unreachable.add(next(iter(world.nodes)))
    with pytest.raises(HaosError, match="not wholly torn down") as error:
        teardown(None, purge=True, ctx=context_of(world))
    assert error.value.exit_code == 6
    assert not isinstance(error.value, RemoteError)
    world.unreachable.clear()
    teardown(None, purge=True, ctx=context_of(world))
    assert not [port for port in world.ports.values() if port.device_owner == "haos:vip"]


def test_teardown_after_an_instance_is_gone_cleans_its_port(world: World) -> None:
    first = next(iter(world.instances))
    del world.instances[first], world.nodes[first]
    torn = teardown(None, purge=True, ctx=context_of(world))
    assert "is gone" in torn.done[0]
    assert all(len(port.group_ids) == 1 for port in world.ports.values())
    assert not [port for port in world.ports.values() if any(pair.ip_address == "10.200.51.2" for pair in port.pairs)]
    assert not [port for port in world.ports.values() if port.device_owner == "haos:vip"]


def test_a_node_that_cannot_be_restored_is_said(world: World) -> None:
    def strike(at: int, name: str, when: str) -> None:
        if name == "heal ha_first" and when == "before":
            raise RemoteError("ha_first went away")

    world.effects.strike = strike
    with pytest.raises(LeftoverError, match="under fault stop: ha_first went away; its own timer") as error:
        try_faults(context_of(world), "stop")
    assert error.value.exit_code == 6
    assert world.effects.names.count("heal ha_first") > 10, "it is patient"


def test_a_restore_that_fails_once_is_repeated(world: World) -> None:
    before = world.snapshot()

    def strike(at: int, name: str, when: str) -> None:
        if name == "heal ha_first" and when == "before":
            world.effects.strike = lambda *_: None
            raise RemoteError("ha_first did not answer")

    world.effects.strike = strike
    assert try_faults(context_of(world), "stop").verdict is Verdict.PASS
    assert world.snapshot() == before


def test_nothing_is_injected_while_no_backup_is_ready_unless_forced(world: World) -> None:
    second = list(world.nodes.values())[1]
    second.daemon = False
    with pytest.raises(UnsatisfiableError, match="no Backup is ready to take over from ha_first"):
        try_faults(context_of(world), "withdraw")
    assert world.effects.names == []
    assert try_faults(context_of(world), "withdraw", force=True).verdict is Verdict.FAIL
    assert world.effects.names == ["inject withdraw ha_first", "heal ha_first"]


def test_a_daemon_that_serves_others_is_not_stopped(world: World) -> None:
    first = next(iter(world.nodes.values()))
    facts = first.facts
    first.facts = lambda mac: replace(facts(mac), other_instances=("theirs",))  # type: ignore[method-assign]
    with pytest.raises(UnsatisfiableError, match=r"serves others too \(theirs\)") as error:
        try_faults(context_of(world), "withdraw", "stop")
    assert "--fault withdraw" in (error.value.hint or "")
    assert try_faults(context_of(world), "withdraw").verdict is Verdict.PASS


def test_a_node_cannot_watch_its_own_pair(world: World) -> None:
    with pytest.raises(HaosError, match="cannot watch"):
        try_faults(context_of(world), "stop", observer="ha_first")

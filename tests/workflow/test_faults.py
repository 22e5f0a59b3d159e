"""Every fault over the in-memory world: measured, undone, and undone by its guard where haos is killed or fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from haos.core.fault import Guard
from haos.core.leg import FAILBACK
from haos.core.model import RESERVATION_OWNER, Address
from haos.core.outage import Verdict
from haos.core.report import FailoverReport
from haos.core.service import parse_checks
from haos.errors import HaosError, LeftoverError, RemoteError, UnsatisfiableError
from haos.workflow.create import create, prepare
from haos.workflow.failover import failover_test, plan_failover
from haos.workflow.fault import Fault, NodeSide
from haos.workflow.faults import DEFAULT, FAULTS
from haos.workflow.injection import Injection
from haos.workflow.request import CreateRequest, FailoverRequest
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.restore import restore
from haos.workflow.status import status
from haos.workflow.switchover import prepare as prepare_switchover
from tests.failover import try_faults
from tests.fakes import FakeGuardian, Killed, World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), checks=parse_checks(["true"]), verify=False)
SPLITS = [name for name, fault in FAULTS.items() if fault.splits]


def made(**options: object) -> World:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, **options), ctx), ctx, lambda _: None)  # type: ignore[arg-type]
    world.effects.names.clear()
    return world


def struck(world: World, index: int, when: str, error: Callable[[], BaseException]) -> None:
    def strike(at: int, name: str, moment: str) -> None:
        if (at, moment) == (index, when):
            world.effects.strike = lambda *_: None
            raise error()

    world.effects.strike = strike


def killed(world: World, index: int, when: str) -> None:
    """Kill haos at an effect: nothing of it takes effect any more."""
    dead = False

    def strike(at: int, name: str, moment: str) -> None:
        nonlocal dead
        dead = dead or (at, moment) == (index, when)
        if dead:
            raise Killed

    world.effects.strike = strike


@pytest.mark.parametrize("fault", [fault for fault in FAULTS.values() if isinstance(fault.make, NodeSide)])
def test_a_node_is_told_all_of_a_fault(fault: Fault) -> None:
    world = made()
    ctx = context_of(world)
    pair, _ = find_pair(ctx.cloud, None)
    nodes, _ = pair_nodes(ctx.cloud, pair)
    node = nodes[pair.members[0].port_id]
    Injection(fault, pair, node, 1.0, ctx).make()
    order = world.nodes[node.instance.id].fault
    assert order is not None
    assert NodeSide(order.inject, order.heal, order.refuse) == fault.make


def effects_of(fault: str) -> list[str]:
    world = made()
    try_faults(context_of(world), fault)
    return world.effects.names


EFFECTS = [
    (fault, index, when)
    for fault in FAULTS
    for index in range(len(effects_of(fault)))
    for when in ("before", "after")
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_measured_and_leaves_nothing(fault: str) -> None:
    world = made()
    before = world.snapshot()
    report = try_faults(context_of(world), fault)
    over, back = report.legs
    assert (over.label, over.fault, over.origin, over.target) == (fault, fault, "ha_first", "ha_second")
    assert (back.label, back.fault, back.origin, back.target) == (FAILBACK, fault, "ha_second", "ha_first")
    assert back.verdict is Verdict.PASS, back.reason
    assert over.verdict is (Verdict.FAIL if fault in SPLITS else Verdict.PASS), over.reason
    assert world.snapshot() == before
    assert not any("haos-fault" in tag for port in world.ports.values() for tag in port.tags)


@pytest.mark.parametrize("fault", SPLITS)
def test_a_split_is_seen_and_fails_unless_it_is_asked_to_be_borne(fault: str) -> None:
    world = made()
    report = try_faults(context_of(world), fault)
    over = report.legs[0]
    assert over.insight.dual_answers_s > 2.0
    assert over.insight.dual_active_s is not None
    assert over.insight.dual_active_s > 2.0
    assert "two nodes answered for the VIP at once" in report.reason
    assert try_faults(context_of(made()), fault, max_dual_active_s=60.0).verdict is Verdict.PASS


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of contexts that were left open
@pytest.mark.exhaustive
@pytest.mark.parametrize(("fault", "index", "when"), EFFECTS)
def test_killed_at_any_effect_the_guard_puts_it_right(fault: str, index: int, when: str) -> None:
    world = made()
    before = world.snapshot()
    killed(world, index, when)
    ctx = context_of(world)
    with pytest.raises(Killed):
        try_faults(ctx, fault)
    world.effects.strike = lambda *_: None
    assert isinstance(ctx.guardian, FakeGuardian)
    ctx.guardian.act()
    world.clock.sleep(3600.0)  # the node's timer, and the end of the watch
    assert world.snapshot() == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(("fault", "index", "when"), EFFECTS)
def test_failing_at_any_effect_it_is_undone_or_said(fault: str, index: int, when: str) -> None:
    world = made()
    before = world.snapshot()
    struck(world, index, when, lambda: HaosError("the API is away"))
    ctx = context_of(world)
    with contextlib.suppress(HaosError):
        try_faults(ctx, fault)
    assert isinstance(ctx.guardian, FakeGuardian)
    ctx.guardian.act()
    world.clock.sleep(3600.0)
    assert world.snapshot() == before


@pytest.mark.exhaustive
@pytest.mark.parametrize(("fault", "index", "when"), EFFECTS)
def test_interrupted_at_any_effect_it_is_undone_before_haos_ends(fault: str, index: int, when: str) -> None:
    world = made()
    before = world.snapshot()
    struck(world, index, when, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        try_faults(context_of(world), fault)
    assert world.snapshot() == before


def test_rounds_repeat_all_faults() -> None:
    report = try_faults(context_of(made()), "withdraw", "stop", rounds=3)
    assert [(leg.round, leg.fault) for leg in report.legs[::2]] == [
        (1, "withdraw"), (1, "stop"), (2, "withdraw"), (2, "stop"), (3, "withdraw"), (3, "stop"),
    ]  # fmt: skip
    assert report.reason == "10.200.51.2 moved 12 times, each within its bound"
    assert report.rounds == 3


def test_the_default_faults_and_all() -> None:
    ctx = context_of(made())
    assert tuple(one.fault.name for one in plan_failover(FailoverRequest(), ctx).faults) == DEFAULT
    assert tuple(one.fault.name for one in plan_failover(FailoverRequest(faults=("all",)), ctx).faults) == tuple(
        FAULTS
    )


def test_a_fault_that_lacks_a_check_is_left_out_of_all_and_refused_by_name() -> None:
    ctx = context_of(made(checks=None))
    planned = plan_failover(FailoverRequest(faults=("all",)), ctx)
    assert "check-fail" not in [one.fault.name for one in planned.faults]
    with pytest.raises(UnsatisfiableError, match="has no service check"):
        plan_failover(FailoverRequest(faults=("check-fail",)), ctx)


def test_the_plan_says_what_ends_each_fault() -> None:
    for planned in plan_failover(FailoverRequest(faults=("all",)), context_of(made())).faults:
        assert (planned.heals_after_s is None) == (planned.fault.guard is Guard.ITSELF)
        assert planned.heals_after_s is None or planned.bound_s < planned.heals_after_s < 90


def test_an_outage_over_what_was_asked_for_fails_though_it_is_within_the_bound() -> None:
    world = made()
    world.takeover_s = 0.09
    report = try_faults(context_of(world), "stop", max_outage_s=0.05)
    assert report.verdict is Verdict.FAIL
    assert "over the 0.05 s that were asked for" in report.reason


def test_the_nodes_tell_when_the_vip_came() -> None:
    world = made()
    world.takeover_s = 0.25
    over = try_faults(context_of(world), "kill").legs[0]
    assert over.insight.fault_at is not None
    assert over.insight.detection_s == pytest.approx(0.25, abs=0.01)
    assert over.insight.no_active_s == pytest.approx(0.25, abs=0.01)
    assert over.insight.dual_active_s == 0.0


def test_two_tests_at_once_are_refused_by_the_nodes() -> None:
    world = made()
    ctx = context_of(world)
    next(iter(world.nodes.values())).watch(plan_failover(FailoverRequest(), ctx).pair.vip, limit_s=600.0)
    with pytest.raises(HaosError, match="another failover test is at work on ha_first"):
        try_faults(ctx, "stop")


def test_without_preemption_the_same_fault_brings_the_vip_back() -> None:
    world = made(preempt=False)
    report = try_faults(context_of(world), "kill")
    assert [(leg.label, leg.origin, leg.target) for leg in report.legs] == [
        ("kill", "ha_first", "ha_second"),
        ("kill", "ha_second", "ha_first"),
    ]
    assert report.verdict is Verdict.PASS


def test_a_node_that_is_back_before_anybody_looked_was_away_all_the_same() -> None:
    world = made(preempt_delay_s=0)
    world.takeover_s = 0.45  # the daemon is back at 0.5 s and takes over at once
    for node in world.nodes.values():
        node.preempt_delay_s = 0.0
    over, back = try_faults(context_of(world), "kill").legs
    assert (over.verdict, over.target) == (Verdict.PASS, "ha_second"), over.reason
    assert over.outage is not None
    assert over.outage.outage_s == pytest.approx(0.45, abs=0.02)
    assert (back.verdict, back.target) == (Verdict.PASS, "ha_first"), back.reason


@pytest.mark.parametrize("interval_s", [0.002, 0.05, 0.2])
@pytest.mark.parametrize("fault", ["stop", "partition", "pause"])
def test_other_intervals_have_another_resolution_and_no_other_verdict(fault: str, interval_s: float) -> None:
    report = try_faults(context_of(made()), fault, interval_s=interval_s)
    assert report.verdict is Verdict.PASS, report.reason


def test_a_leg_that_was_measured_is_not_lost_with_the_one_after_it() -> None:
    world = made()

    def strike(at: int, name: str, when: str) -> None:
        if name.startswith("heal"):
            raise RemoteError("ha_first went away")

    world.effects.strike = strike
    ctx, kept = context_of(world), list[FailoverReport]()
    with pytest.raises(LeftoverError):
        failover_test(plan_failover(FailoverRequest(faults=("stop",)), ctx), ctx, salvage=kept.append)
    [report] = kept
    assert [leg.label for leg in report.legs] == ["stop"]
    assert report.verdict is Verdict.UNKNOWN
    assert report.reason.startswith("the test broke off: ha_first may still be under fault stop")


def test_a_pair_in_the_middle_of_a_switchover_is_not_tested() -> None:
    world = made()
    ctx = context_of(world)
    node = next(iter(world.nodes.values()))
    facts = node.facts
    node.facts = lambda mac: replace(facts(mac), weights={"ha_first-ha_second": 12})  # type: ignore[method-assign]
    with pytest.raises(UnsatisfiableError, match="a switchover of pair ha_first-ha_second is under way"):
        plan_failover(FailoverRequest(), ctx)


def test_the_preempt_delay_does_not_lengthen_a_fault() -> None:
    def held_s(delay_s: int) -> list[float | None]:
        plan = plan_failover(FailoverRequest(faults=("stop", "hang")), context_of(made(preempt_delay_s=delay_s)))
        return [planned.heals_after_s for planned in plan.faults]

    assert held_s(300) == held_s(1)


@pytest.mark.parametrize("fault", SPLITS)
def test_where_nothing_preempts_the_way_back_after_a_split_is_measured(fault: str) -> None:
    world = made(preempt=False)
    report = try_faults(context_of(world), fault, max_dual_active_s=60.0)
    assert [(leg.label, leg.origin, leg.target) for leg in report.legs] == [
        (fault, "ha_first", "ha_second"),
        (FAILBACK, "ha_second", "ha_first"),
    ], "both were Active: the one with the higher priority goes on"
    assert report.verdict is Verdict.PASS, report.reason


def test_a_fault_in_force_is_named_and_refused_and_a_watch_that_was_left_is_ended() -> None:
    world = made()
    killed(world, 1, "before")
    with pytest.raises(Killed):
        try_faults(context_of(world), "hang")
    world.effects.strike = lambda *_: None
    first = next(iter(world.nodes.values()))
    first.watch(plan_vip(world), limit_s=600.0)
    ctx = context_of(world)
    with pytest.raises(UnsatisfiableError, match="fault hang is in force on ha_first") as error:
        plan_failover(FailoverRequest(), ctx)
    assert "haos failover-test --restore ha_first-ha_second" in (error.value.hint or "")
    seen = status(None, None, ctx)
    assert not seen.healthy
    assert any("fault hang is in force" in trouble.reason for node in seen.nodes for trouble in node.troubles)
    assert restore(None, ctx).done == (
        "healed ha_first: a fault was left there",
        "ended the watch on ha_first that a failover-test has left",
    )
    assert restore(None, ctx).done == ()


def test_nobody_changes_a_pair_that_is_being_tested() -> None:
    world = made()
    first = next(iter(world.nodes.values()))
    first.watch(plan_vip(world), limit_s=600.0)
    ctx = context_of(world)
    with pytest.raises(UnsatisfiableError, match="a failover-test is at work on ha_first, or died"):
        prepare(replace(HOWTO, preempt_delay_s=2), ctx)
    with pytest.raises(UnsatisfiableError, match="a failover-test is at work there, or died"):
        prepare_switchover(None, None, back=False, observer_ref=None, ctx=ctx)


def plan_vip(world: World) -> Address:
    port = next(port for port in world.ports.values() if port.device_owner == RESERVATION_OWNER)
    return port.fixed_ips[0].address

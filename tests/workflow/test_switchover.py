"""`switchover` over the in-memory world: the move, every failure, every kill, and what `create` makes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from haos.core import record
from haos.core.model import Pair, Port, Role
from haos.core.outage import Verdict
from haos.core.switchover import Way
from haos.core.turn import Turn
from haos.errors import (
    CloudError,
    LeftoverError,
    NotFoundError,
    RemoteError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.create import create
from haos.workflow.create import prepare as prepare_create
from haos.workflow.request import CreateRequest
from haos.workflow.settle import await_one_active
from haos.workflow.status import status
from haos.workflow.switchover import Switched, prepare, switchover
from haos.workflow.teardown import teardown
from tests.fakes import FakeNode, FakeObserver, Killed, World, add_instance, context_of, howto_world

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


def node(world: World, name: str) -> FakeNode:
    return next(one for one in world.nodes.values() if one.instance.name == name)


def reservation(world: World) -> Port:
    return next(port for port in world.ports.values() if port.device_owner == "haos:vip")


def recorded(world: World) -> Pair:
    return record.decode(reservation(world))


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_vip_moves_and_stays_and_comes_back(kind: str) -> None:
    world = made(kind)
    first = world.snapshot()
    switched = move(world)
    assert switched.leg is not None
    assert (switched.leg.origin, switched.leg.target) == ("ha_first", "ha_second")
    assert switched.leg.verdict is Verdict.PASS, switched.leg.reason
    settled_on(world, "ha_second")
    assert recorded(world).home.port_id == recorded(made(kind)).home.port_id, "the order of the record stays"
    back = move(world, back=True)
    assert back.leg is not None
    assert back.leg.target == "ha_first"
    settled_on(world, "ha_first")
    assert world.snapshot() == first


@pytest.mark.parametrize("kind", ["preempt", "three"])
def test_no_probe_is_lost_and_the_vip_is_never_without_a_node(kind: str) -> None:
    world = made(kind)
    since = world.clock.now
    assert move(world).lost_probes == 0
    assert all(mac is not None for at, mac in world.holders if at >= since)


def test_afterwards_the_new_preferred_node_is_the_one_that_others_wait_for() -> None:
    world = made()
    move(world)
    holder(world)
    ctx = context_of(world)
    prepared = prepare_create(HOWTO, ctx)
    began_s = world.clock.now
    active, _ = await_one_active(prepared.pair, prepared.place.nodes, ctx)
    assert active is not None
    assert active.name == "ha_second"
    assert world.clock.now == began_s, "nobody waits for the node that was preferred before"
    assert not prepared.plan
    assert create(prepare_create(replace(HOWTO, verify_failover=True), ctx), ctx, lambda _: None).proven
    settled_on(world, "ha_second")


def test_the_record_goes_first_then_the_target_and_the_weight_goes_last() -> None:
    world = made()
    move(world)
    assert world.effects.names == [
        "weigh ha_second",
        "describe",
        "configure ha_second", "activate ha_second",
        "configure ha_first", "activate ha_first",
        "weigh ha_second",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["nopreempt", "bfd"])
def test_where_a_priority_moves_nothing_the_active_leaves_first_and_its_bound_is_said(kind: str) -> None:
    world = made(kind)
    planned = prepare(None, None, back=False, observer_ref=None, ctx=context_of(world)).move
    assert planned.way is Way.WITHDRAW
    expected_s = 3 * 0.05 + 3 * 0.01 + 0.01 * 2 / 256 if kind == "bfd" else 0.3 * 2 / 256
    assert planned.bound_s == pytest.approx(expected_s)
    move(world)
    assert "inject withdraw ha_first" in world.effects.names
    assert "heal ha_first" not in world.effects.names, "its new file brings it back"
    assert node(world, "ha_first").fault is None


def test_without_preemption_the_vip_is_brought_to_the_preferred_node_after_a_failover() -> None:
    world = made("nopreempt")
    first = node(world, "ha_first")
    first.withdraw("ha_first-ha_second")
    world.clock.sleep(5)
    first.reinstate("ha_first-ha_second")
    assert holder(world) == "ha_second"
    move(world)
    settled_on(world, "ha_first")


def test_the_best_backup_is_the_default_and_to_names_another() -> None:
    world = made("three")
    assert move(world, "ha_third").leg.target == "ha_third"  # type: ignore[union-attr]
    settled_on(world, "ha_third")
    assert priorities(world) == {"ha_first": 212, "ha_second": 230, "ha_third": 240}
    assert move(world).leg.target == "ha_second"  # type: ignore[union-attr]
    settled_on(world, "ha_second")
    assert move(world, back=True).leg.target == "ha_first"  # type: ignore[union-attr]
    settled_on(world, "ha_first")


def test_a_node_at_the_highest_priority_steps_down_for_the_move() -> None:
    world = howto_world(keepalived="2.2.7")
    make(world, replace(HOWTO, priorities=(254, 100)))
    world.effects.names.clear()
    assert move(world).lost_probes == 0
    assert world.effects.names[:2] == ["weigh ha_first", "weigh ha_second"]
    settled_on(world, "ha_second")
    assert priorities(world) == {"ha_first": 100, "ha_second": 254}


def test_already_there_nothing_is_done() -> None:
    world = made()
    assert move(world, "ha_first").leg is None
    assert move(world, back=True).leg is None
    assert world.effects.names == []


def test_preparing_changes_nothing() -> None:
    world = made()
    before = world.snapshot()
    prepare(None, None, back=False, observer_ref=None, ctx=context_of(world))
    assert world.snapshot() == before
    assert world.effects.names == []


def _without_pair(world: World) -> None:
    port = next(port for port in world.ports.values() if port.mac == node(world, "ha_second").mac)
    world.ports[port.id] = replace(port, pairs=())


def _stop(world: World) -> None:
    node(world, "ha_second").daemon = False
    world.elect()


def _withdraw(world: World) -> None:
    node(world, "ha_second").withdraw("ha_first-ha_second")


def _pend(world: World) -> None:
    node(world, "ha_second").pending = True


def _edit(world: World) -> None:
    second = node(world, "ha_second")
    [(name, config)] = second.files.items()
    files = tuple(replace(file, text=file.text.replace("advert_int 0.3", "advert_int 1")) for file in config.files)
    second.files[name] = replace(config, files=files)


def _lose(world: World) -> None:
    del world.instances[node(world, "ha_second").instance.id]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_without_pair, "ha_second: its port lacks the address pair"),
        (_stop, "ha_second: keepalived does not run"),
        (_withdraw, "ha_second: its configuration is withdrawn"),
        (_pend, "ha_second: keepalived was not told of its last change"),
        (_edit, "ha_second: its configuration is not what this haos would write"),
        (_lose, "is not whole"),
    ],
)
def test_an_unhealthy_pair_is_not_moved(spoil: Callable[[World], None], reason: str) -> None:
    world = made()
    spoil(world)
    before = world.snapshot()
    with pytest.raises(UnsatisfiableError, match=reason):
        move(world)
    assert world.snapshot() == before


def test_two_that_hold_the_vip_are_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    world = made()
    seen = FakeNode.sight
    monkeypatch.setattr(FakeNode, "sight", lambda *args: replace(seen(*args), role=Role.ACTIVE, holds_vip=True))
    with pytest.raises(
        UnsatisfiableError, match="do not agree on one Active: ha_first is Active with the VIP, ha_sec"
    ):
        move(world)


def test_a_node_of_another_pair_is_refused() -> None:
    with pytest.raises(NotFoundError, match="'ha_third' is no node of pair ha_first-ha_second"):
        move(made(), "ha_third")


def test_a_vip_that_does_not_answer_is_not_moved() -> None:
    world = made()
    world.fabric = "arp-cache"
    world.arp_cache = {recorded(world).vip: "fa:16:3e:99:99:99"}
    with pytest.raises(VerificationError, match="does not answer observer; nothing was changed"):
        move(world)
    assert world.effects.names == []


def strike_at(world: World, index: int, when: str, raised: Callable[[], BaseException], *, once: bool) -> None:
    def strike(at: int, _: str, moment: str) -> None:
        if moment == when and (at == index if once else at >= index):
            raise raised()

    world.effects.strike = strike


@cache
def effects_of(kind: str) -> tuple[str, ...]:
    world = made(kind)
    move(world)
    return tuple(world.effects.names)


POINTS = [
    (kind, index, when) for kind in KINDS for index in range(len(effects_of(kind))) for when in ("before", "after")
]
IDS = [f"{kind}-{index}-{effects_of(kind)[index]}-{when}" for kind, index, when in POINTS]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("kind", "index", "when"), POINTS, ids=IDS)
def test_failing_at_every_effect_all_is_undone(kind: str, index: int, when: str) -> None:
    world = made(kind)
    before = world.snapshot()
    error = CloudError if effects_of(kind)[index] == "describe" else RemoteError
    strike_at(world, index, when, lambda: error("struck"), once=True)
    with pytest.raises(error, match="struck"):
        move(world)
    assert world.snapshot() == before
    if KINDS[kind].preempt is not False:
        settled_on(world, "ha_first")
    world.effects.strike = lambda *_: None
    move(world, "ha_second")
    settled_on(world, "ha_second")


AFTERWARDS = [
    (*point, then)
    for point in POINTS
    for then in ("switchover", "create", "back", "teardown")
    if point[0] in ("preempt", "nopreempt") or then in ("switchover", "back")
]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("kind", "index", "when", "then"), AFTERWARDS, ids=lambda value: str(value))
def test_killed_at_every_effect_the_vip_is_there_and_any_command_goes_on(
    kind: str, index: int, when: str, then: str
) -> None:
    world = made(kind)
    strike_at(world, index, when, Killed, once=False)
    with pytest.raises(Killed):
        move(world)
    world.effects.strike = lambda *_: None
    if then in ("create", "teardown"):
        world.clock.sleep(60)
        assert holder(world) in ("ha_first", "ha_second")
        assert not any(one.withdrawn for one in world.nodes.values()), "by the node's own timer"
    else:
        world.clock.sleep(0.5)
    match then:
        case "switchover":
            done = (index, when) in ((0, "before"), (len(effects_of(kind)) - 1, "after"))
            move(world, "ha_second" if done else None)
            settled_on(world, "ha_second")
        case "create":
            make(world, KINDS[kind])
            assert not any(one.withdrawn or one.pending for one in world.nodes.values())
            move(world, "ha_second")
            settled_on(world, "ha_second")
        case "back":
            move(world, back=True)
            settled_on(world, "ha_first")
        case "teardown":
            teardown(None, purge=False, ctx=context_of(world))
            assert not any(one.files or one.weights for one in world.nodes.values())


def test_a_switchover_that_was_killed_is_named_by_status_and_by_check() -> None:
    world = made()
    strike_at(world, effects_of("preempt").index("describe"), "before", Killed, once=False)
    with pytest.raises(Killed):
        move(world)
    world.effects.strike = lambda *_: None
    seen = status(None, None, context_of(world))
    assert seen.healthy, "the pair is well; its VIP is on its way"
    [row] = [row for row in seen.nodes if row.name == "ha_second"]
    assert [(trouble.code, trouble.remedy) for trouble in row.troubles] == [
        ("switchover", "haos switchover ha_first-ha_second goes on from there")
    ]
    warnings = prepare_create(HOWTO, context_of(world)).warnings
    assert [finding.code for finding in warnings] == ["unfinished-switchover"]
    move(world)
    assert not [trouble for row in status(None, None, context_of(world)).nodes for trouble in row.troubles]


def test_a_run_at_work_is_waited_for_and_what_it_changed_is_not_changed_again() -> None:
    world = made()
    ctx = context_of(world)
    prepared = prepare(None, None, back=False, observer_ref=None, ctx=ctx)
    taken = Turn("a", "other", "a trial failover of pair other", 40)
    assert node(world, "ha_first").claim(taken) is None
    began_s = world.clock.now
    assert switchover(prepared, ctx).move.target.name == "ha_second"
    assert 40 <= world.clock.now - began_s < 60
    settled_on(world, "ha_second")
    assert node(world, "ha_first").claim(taken) is None
    with pytest.raises(UnsatisfiableError, match="was changed by another run meanwhile; nothing was changed by this"):
        switchover(prepared, ctx)
    settled_on(world, "ha_second")


def test_a_run_that_does_not_end_is_named_and_nothing_is_changed() -> None:
    world = made()
    before = world.snapshot()
    node(world, "ha_second").claim(Turn("a", "other", "a trial failover of pair other", 3600))
    with pytest.raises(
        UnsatisfiableError, match="a trial failover of pair other is at work on ha_second; nothing was"
    ):
        move(world)
    assert world.snapshot() == before


def test_interrupted_it_undoes_all() -> None:
    world = made()
    before = world.snapshot()
    strike_at(world, effects_of("preempt").index("configure ha_first"), "before", KeyboardInterrupt, once=True)
    with pytest.raises(KeyboardInterrupt):
        move(world)
    assert world.snapshot() == before


def test_what_cannot_be_undone_is_listed_with_the_command_that_goes_on() -> None:
    world = made()

    def strike(at: int, name: str, when: str) -> None:
        if at >= effects_of("preempt").index("activate ha_second") and name.endswith("ha_second"):
            raise RemoteError("ha_second went away")

    world.effects.strike = strike
    with pytest.raises(LeftoverError, match="weight of pair ha_first-ha_second on ha_second") as error:
        move(world)
    assert error.value.hint == "haos switchover ha_first-ha_second --to ha_second goes on from here"


def test_a_target_that_does_not_take_over_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    world = made()
    before = world.snapshot()
    monkeypatch.setattr(World, "elect", lambda *_: None)
    with pytest.raises(VerificationError, match="ha_second did not become the only Active") as error:
        move(world)
    assert error.value.exit_code == 4
    assert world.snapshot() == before


def test_a_network_that_does_not_follow_is_no_success() -> None:
    world = made()
    before = world.snapshot()
    world.fabric = "arp-cache"
    world.arp_cache = {recorded(world).vip: node(world, "ha_first").mac}
    with pytest.raises(VerificationError, match="the observer is not answered by ha_second alone"):
        move(world)
    assert world.snapshot() == before


def test_a_record_that_somebody_changed_meanwhile_is_left_alone() -> None:
    world = made()

    def strike(at: int, name: str, when: str) -> None:
        if (name, when) == ("weigh ha_second", "after") and at == 0:
            port = reservation(world)
            world.ports[port.id] = replace(port, description=port.description.replace("d=1", "d=6"))

    world.effects.strike = strike
    with pytest.raises(CloudError, match="somebody else has changed the pair meanwhile"):
        move(world)
    assert recorded(world).timing.preempt_delay_s == 6
    assert not node(world, "ha_second").weights


@pytest.mark.parametrize("where", ["weigh ha_second", "describe"])
def test_a_lost_observer_is_unknown_and_the_vip_moves_all_the_same(where: str) -> None:
    world = made()

    def strike(at: int, name: str, when: str) -> None:
        if name == where:
            ctx.fleet.watcher.probes[-1].lost = "connection reset"  # type: ignore[attr-defined]

    ctx = context_of(world)
    world.effects.strike = strike
    switched = switchover(prepare(None, None, back=False, observer_ref=None, ctx=ctx), ctx)
    assert switched.leg is not None
    assert switched.leg.verdict is Verdict.UNKNOWN
    settled_on(world, "ha_second")


def test_an_observer_that_cannot_be_reached_is_no_obstacle_unless_it_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RemoteError("observer does not answer on port 22", hint="is it up?")

    monkeypatch.setattr(FakeObserver, "start_probe", refuse)
    world = made()
    ctx = context_of(world)
    with pytest.raises(RemoteError, match="observer does not answer"):
        switchover(prepare(None, None, back=False, observer_ref="observer", ctx=ctx), ctx)
    assert world.effects.names == []
    switched = switchover(prepare(None, None, back=False, observer_ref=None, ctx=ctx), ctx)
    assert (switched.observer, switched.lost_probes) == (None, None)
    assert "observer does not answer on port 22" in ctx.progress.titles  # type: ignore[attr-defined]
    settled_on(world, "ha_second")


def test_without_an_observer_the_nodes_own_view_counts() -> None:
    world = made()
    observer = next(one for one in world.instances.values() if one.name == "observer")
    world.instances[observer.id] = replace(observer, name="somebody")
    switched = move(world)
    assert switched.leg is not None
    assert (switched.leg.verdict, switched.lost_probes) == (Verdict.UNKNOWN, None)
    settled_on(world, "ha_second")


def test_a_pair_of_an_older_haos_is_brought_up_to_date_by_create_first() -> None:
    world = made()
    for each in ("ha_first", "ha_second"):
        one = node(world, each)
        [(name, config)] = one.files.items()
        old = tuple(
            replace(file, text=file.text.replace(f"    track_file {{\n        haos_{name} weight 1\n    }}\n", ""))
            for file in config.files
        )
        one.files[name] = replace(config, files=old)
    with pytest.raises(UnsatisfiableError, match="not what this haos would write"):
        move(world)
    make(world)
    move(world)
    settled_on(world, "ha_second")

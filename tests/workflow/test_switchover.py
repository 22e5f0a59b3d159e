"""`switchover` over the in-memory world: the move, every failure, every kill, and what `create` makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from haos.core.model import Role
from haos.core.outage import Verdict
from haos.core.switchover import Way
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
from haos.workflow.settle import await_one_active
from haos.workflow.switchover import prepare, switchover
from tests.fakes import FakeNode, FakeObserver, World, context_of, howto_world, node
from tests.records import recorded, reservation_of
from tests.workflow.moves import HOWTO, KINDS, effects_of, holder, made, make, move, priorities, settled_on


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
            port = reservation_of(world)
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

"""`switchover` that fails, or is killed, at every effect in turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from haos.core.turn import Turn
from haos.errors import (
    CloudError,
    RemoteError,
    UnsatisfiableError,
)
from haos.workflow.create import prepare as prepare_create
from haos.workflow.status import status
from haos.workflow.switchover import prepare, switchover
from haos.workflow.teardown import teardown
from tests.fakes import Killed, World, context_of, node
from tests.workflow.moves import HOWTO, KINDS, effects_of, holder, made, make, move, settled_on


def strike_at(world: World, index: int, when: str, raised: Callable[[], BaseException], *, once: bool) -> None:
    def strike(at: int, _: str, moment: str) -> None:
        if moment == when and (at == index if once else at >= index):
            raise raised()

    world.effects.strike = strike


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

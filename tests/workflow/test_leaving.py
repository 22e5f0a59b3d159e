"""A pair is taken away more slowly than a mark counts: the mark is kept young, and who finds it gone stops."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from haos.core.leaving import LASTS_S, leaves_for_s, leaving_tags
from haos.core.model import RESERVATION_OWNER, Port
from haos.core.node import Removal, Removed
from haos.errors import HaosError, LeftoverError, StepError
from haos.workflow import leaving
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import teardown
from tests.fakes import FakeNode, World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), verify=False)
SLOW_S = 25.0
DEADLINE_S = 20.0


def make(world: World) -> None:
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)


def tear_down(world: World) -> None:
    teardown(None, purge=True, ctx=context_of(world))


def reservation(world: World) -> Port | None:
    return next((port for port in world.ports.values() if port.device_owner == RESERVATION_OWNER), None)


def slow(world: World, seen_s: list[float]) -> Callable[[int, str, str], None]:
    """Let every effect but those on the mark itself take long; note how long the mark counts then."""

    def strike(_: int, effect: str, when: str) -> None:
        if when == "before" and effect not in ("tag", "untag"):
            world.clock.sleep(SLOW_S)
            found = reservation(world)
            if found is not None and leaving_tags(found):
                seen_s.append(leaves_for_s(found, world.clock.wall_s()))

    return strike


def test_a_teardown_keeps_its_mark_young_at_every_step() -> None:
    world, seen_s = howto_world(), list[float]()
    before = world.snapshot()
    make(world)
    world.effects.strike = slow(world, seen_s)
    tear_down(world)
    assert len(seen_s) * SLOW_S > 2 * LASTS_S
    assert min(seen_s) > 0, seen_s
    assert world.snapshot() == before


def test_a_quick_teardown_writes_its_mark_once() -> None:
    world = howto_world()
    make(world)
    world.effects.names.clear()
    tear_down(world)
    assert world.effects.names.count("tag") == 1
    assert "untag" not in world.effects.names


def test_an_undo_keeps_its_mark_young_at_every_step() -> None:
    world, seen_s = howto_world(keepalived="2.2.7"), list[float]()
    before = world.snapshot()
    slowly = slow(world, seen_s)

    def strike(index: int, effect: str, when: str) -> None:
        if effect == "activate ha_second":
            world.effects.strike = slowly
            raise StepError("no, says systemd")

    world.effects.strike = strike
    with pytest.raises(StepError, match="no, says systemd"):
        make(world)
    assert len(seen_s) * SLOW_S > 2 * LASTS_S
    assert min(seen_s) > 0, seen_s
    assert world.snapshot() == before


def taken_after(world: World, effect: str) -> Callable[[int, str, str], None]:
    """Let a run that believes the other dead take the mark away after an effect that was slow."""

    def strike(_: int, name: str, when: str) -> None:
        found = reservation(world)
        if (name, when) == (effect, "after") and found is not None and leaving_tags(found):
            world.clock.sleep(SLOW_S)
            for tag in leaving_tags(found):
                context_of(world).cloud.remove_tag(found.id, tag)

    return strike


def test_a_teardown_whose_mark_is_gone_takes_nothing_more() -> None:
    world = howto_world()
    make(world)
    pairs = [port.pairs for port in world.ports.values()]
    world.effects.strike = taken_after(world, "remove ha_second")
    with pytest.raises(LeftoverError, match="somebody makes the pair anew meanwhile") as error:
        tear_down(world)
    assert "Not begun: " in error.value.reason
    assert [port.pairs for port in world.ports.values()] == pairs
    assert reservation(world) is not None


def test_an_undo_whose_mark_is_gone_takes_nothing_more() -> None:
    world = howto_world(keepalived="2.2.7")
    taken = taken_after(world, "remove ha_second")

    def strike(index: int, effect: str, when: str) -> None:
        if effect == "activate ha_second":
            raise StepError("no, says systemd")
        taken(index, effect, when)

    world.effects.strike = strike
    with pytest.raises(LeftoverError, match="somebody makes the pair anew meanwhile"):
        make(world)
    assert world.effects.names[-2:] == ["remove ha_second", "untag"]
    assert reservation(world) is not None


@pytest.mark.usefixtures("side_by_side")
def test_the_mark_is_renewed_while_a_node_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LOOK_EVERY_S", 0.01)
    world, seen_s = howto_world(), list[float]()
    make(world)
    plain = FakeNode.remove

    def remove(node: FakeNode, removal: Removal) -> Removed:
        if node.instance.name == "ha_first":
            seen_s.append(minutes_pass(world))
        return plain(node, removal)

    monkeypatch.setattr(FakeNode, "remove", remove)
    tear_down(world)
    assert min(seen_s) > LASTS_S - SLOW_S


def minutes_pass(world: World) -> float:
    """Let ten minutes pass, each part of them once the mark was renewed; return what it counted at the least."""
    counts_s, deadline_s = [], time.monotonic() + DEADLINE_S
    for _ in range(24):
        found = reservation(world)
        assert found is not None
        counts_s.append(leaves_for_s(found, world.clock.wall_s()))
        world.clock.sleep(SLOW_S)
        while reservation(world) == found:
            assert time.monotonic() < deadline_s, "the mark is not renewed"
            time.sleep(0.001)
    return min(counts_s)


def test_a_mark_that_cannot_be_renewed_is_no_reason_to_stop() -> None:
    world = howto_world()
    before = world.snapshot()
    make(world)
    slowly = slow(world, [])
    marks = iter(range(99))

    def strike(index: int, effect: str, when: str) -> None:
        if effect == "tag" and next(marks):
            raise HaosError("the cloud is ill")
        slowly(index, effect, when)

    world.effects.strike = strike
    tear_down(world)
    assert world.snapshot() == before

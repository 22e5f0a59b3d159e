"""`replace-node`, failed and killed at every effect, for every kind of pair and old node; the proof once."""

from __future__ import annotations

import copy
from contextlib import suppress
from functools import cache

import pytest

from haos.errors import CloudError, HaosError, LeftoverError, RemoteError
from haos.workflow.teardown import teardown
from tests.fakes import Killed, World, context_of, killed_at, node
from tests.workflow.exchange import (
    KINDS,
    NEW,
    NODES,
    OLD,
    STATES,
    bare,
    exchange,
    holder,
    made,
    old_ref,
    priorities,
    settled,
)

pytestmark = pytest.mark.exhaustive

CASES = [
    *(("two", state) for state in STATES),
    ("three", "active"),
    ("three", "gone"),
    ("five", "active"),
    ("nopreempt", "active"),
    ("bfd", "active"),
    ("unsecured", "active"),
    ("unsecured", "stopped"),
    ("unsecured", "silent"),
]
PROVEN = ("two", "active")


def spoilt(kind: str, state: str) -> World:
    world = made(kind)
    STATES[state](world)
    world.effects.names.clear()
    return world


def run(world: World, kind: str, state: str, ref: str) -> None:
    exchange(world, old=ref, verify=(kind, state) == PROVEN)


@cache
def undisturbed(kind: str, state: str) -> World:
    world = spoilt(kind, state)
    run(world, kind, state, old_ref(world))
    return world


def effects(kind: str, state: str) -> list[str]:
    return undisturbed(kind, state).effects.names


POINTS = [(kind, state, index) for kind, state in CASES for index in range(len(effects(kind, state)))]
IDS = [f"{kind}-{state}-{index}-{effects(kind, state)[index]}" for kind, state, index in POINTS]


def error_at(kind: str, state: str, index: int) -> type[HaosError]:
    name = effects(kind, state)[index]
    return CloudError if name.startswith(("describe", "set", "amend", "make")) else RemoteError


def is_proof(kind: str, state: str, index: int) -> bool:
    """Say whether the exchange itself is over by then."""
    return any(name.startswith("inject") for name in effects(kind, state)[: index + 1])


FAILURES = [
    (*point, when) for point in POINTS for when in ("before", "after") if when == "after" or point[:2] == PROVEN
]


@pytest.mark.parametrize(("kind", "state", "index", "when"), FAILURES)
def test_failing_at_every_effect_all_is_undone_and_a_second_run_completes(
    kind: str, state: str, index: int, when: str
) -> None:
    world = spoilt(kind, state)
    ref, before, error = old_ref(world), world.snapshot(), error_at(kind, state, index)

    def strike(at: int, _: str, moment: str) -> None:
        if (at, moment) == (index, when):
            raise error("struck")

    world.effects.strike = strike
    if is_proof(kind, state, index):
        # A proof that breaks off is told, and what it shows is kept or undone.
        with suppress(HaosError):
            run(world, kind, state, ref)
    else:
        with pytest.raises(error, match="struck"):
            run(world, kind, state, ref)
        assert world.snapshot() == before
        if state == "active" and KINDS[kind].preempt is not False:
            assert holder(world) == OLD
    world.effects.strike = lambda *_: None
    world.clock.sleep(60)
    run(world, kind, state, ref)
    settled(world, NEW, *NODES[1 : len(priorities(world))])


@pytest.mark.parametrize(("kind", "state", "index"), [point for point in POINTS if point[0] in ("two", "bfd")])
def test_failing_for_good_at_every_effect_what_is_left_is_said_and_a_second_run_completes(
    kind: str, state: str, index: int
) -> None:
    """From there on everything fails that is done where it failed: the undo as well."""
    world = spoilt(kind, state)
    ref, error, name = old_ref(world), error_at(kind, state, index), effects(kind, state)[index]
    where = name.rpartition(" ")[2]

    def strike(at: int, other: str, moment: str) -> None:
        if at >= index and other.rpartition(" ")[2] == where:
            raise error("struck")

    world.effects.strike = strike
    if not is_proof(kind, state, index):
        with pytest.raises(HaosError, match="struck") as raised:
            run(world, kind, state, ref)
        if isinstance(raised.value, LeftoverError):
            assert "Not undone: " in raised.value.reason
            assert f"--old {ref} --new {NEW} goes on from here" in (raised.value.hint or "")
    world.effects.strike = lambda *_: None
    world.clock.sleep(60)
    run(world, kind, state, ref)
    settled(world, NEW, *NODES[1 : len(priorities(world))])


@pytest.mark.parametrize(("kind", "state", "index"), POINTS, ids=IDS)
def test_killed_before_every_effect_the_same_command_completes_it_and_teardown_takes_it_all_away(
    kind: str, state: str, index: int
) -> None:
    """Killed after an effect is killed before the next one; after the last one nothing is left to be done."""
    world = spoilt(kind, state)
    ref = old_ref(world)
    world.effects.strike = killed_at(index, "before")
    with pytest.raises(Killed):
        run(world, kind, state, ref)
    world.effects.strike = lambda *_: None
    world.clock.sleep(60)
    torn_down = copy.deepcopy(world)
    run(world, kind, state, ref)
    settled(world, NEW, *NODES[1 : len(priorities(world))])
    assert world.snapshot() == undisturbed(kind, state).snapshot()

    teardown(None, purge=True, ctx=context_of(torn_down), force=state == "silent")
    assert torn_down.snapshot() == before_the_pair(kind, state, torn_down)


def before_the_pair(kind: str, state: str, world: World) -> object:
    """Return what a teardown has to leave: what was there before create, but for what was deleted meanwhile."""
    expected = bare(kind)
    if state in ("gone", "instance gone"):
        STATES[state](expected)
    if state == "silent":
        expected.nodes[node(expected, OLD).instance.id] = node(world, OLD)
    return expected.snapshot()

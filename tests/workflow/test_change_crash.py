"""A change that fails, or is killed, at every effect in turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from haos.errors import CloudError, HaosError, RemoteError
from tests.fakes import Killed, World, howto_world
from tests.workflow.changed import CHANGES, made, run


def effects_of(what: str) -> list[str]:
    world = made()
    world.effects.names.clear()
    run(world, CHANGES[what])
    return world.effects.names


EFFECTS = {what: effects_of(what) for what in CHANGES}


POINTS = [
    (what, index, when)
    for what, names in EFFECTS.items()
    for index in range(len(names))
    for when in ("before", "after")
]


def strike(world: World, index: int, when: str, error: Callable[[], BaseException], *, once: bool) -> None:
    start = len(world.effects.names)

    def hit(at: int, name: str, moment: str) -> None:
        if (at - start, moment) == (index, when):
            if once:
                world.effects.strike = lambda *_: None
            raise error()

    world.effects.strike = hit


def failure_of(name: str) -> Callable[[], BaseException]:
    remote = name.split()[0] in {"configure", "activate", "remove", "inject", "heal"}
    return (lambda: RemoteError("the node broke")) if remote else (lambda: CloudError("HTTP 500"))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("what", "index", "when"), POINTS, ids=[f"{w}-{EFFECTS[w][i]}-{m}" for w, i, m in POINTS])
def test_a_change_that_fails_anywhere_is_undone_and_done_by_the_next_run(what: str, index: int, when: str) -> None:
    world = made()
    before = world.snapshot()
    name = EFFECTS[what][index]
    strike(world, index, when, failure_of(name), once=True)
    try:
        run(world, CHANGES[what])
    except HaosError:
        if (name, when) != ("describe", "after"):  # an answer that is lost is the adapter's to look up
            assert world.snapshot() == before
    assert run(world, CHANGES[what]).proven
    assert not run(world).changed


@pytest.mark.parametrize("nth", [1, 2])
def test_a_change_of_mode_that_is_killed_keeps_the_service_checks(nth: int) -> None:
    world = howto_world(keepalived="2.2.7")
    run(world, CHANGES["checks"])
    removals: list[str] = []

    def hit(_: int, name: str, moment: str) -> None:
        if name.startswith("remove") and moment == "after":
            removals.append(name)
            if len(removals) == nth:
                raise Killed

    world.effects.strike = hit
    with pytest.raises(Killed):
        run(world, CHANGES["mode"])
    world.effects.strike = lambda *_: None
    assert run(world, CHANGES["mode"]).pair.checks == CHANGES["checks"].checks

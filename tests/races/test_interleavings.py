"""Two runs of haos at once, one step of one of them at a time, in many orders: each must end in a clean state.

Orders are enumerated where one run comes on once, at every step of the other, and plays to its end; beyond that they
are drawn at random, by seeds that are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from haos.errors import NotFoundError
from haos.workflow.recheck import TornDownError
from tests.races.plays import HOWTO, Ending, Run, alone, creating, play, second, tearing_down
from tests.races.stage import MAX_STEPS, Chance, Director, Turns

SEEDS = 25
NAME = "ha_first-ha_second"


def orders(runs: list[Run], *, before: Run | None = None) -> Iterator[Director]:
    """Yield every order with one switch, either way, and some at random."""
    for first, other, run in (("A", "B", runs[0]), ("B", "A", runs[1])):
        for at in range(len(alone(run, before=before)) + 1):
            yield Turns([(first, at), (other, MAX_STEPS)])
    yield from map(Chance, range(SEEDS))


def collisions(runs: list[Run], *, before: Run | None = None) -> Iterator[Director]:
    """Yield every order in which two write one port at once: both looked at it before either has written."""
    starts = []
    for run in runs:
        log = alone(run, before=before, careless=True)
        starts.append([at for at, what in enumerate(log) if what.endswith(": amend_port")])
    for mine in starts[0]:
        for theirs in starts[1]:
            yield Turns([("B", theirs + 1), ("A", mine + 2), ("B", 2), ("A", MAX_STEPS)])
            yield Turns([("A", mine + 1), ("B", theirs + 2), ("A", 2), ("B", MAX_STEPS)])


def endings(
    runs: list[Run], *, before: Run | None = None, careless: bool = False
) -> Iterator[tuple[Director, Ending]]:
    """Play every order."""
    more = collisions(runs, before=before) if careless else ()
    for director in chain(more, orders(runs, before=before)):
        ending = play(runs, director, before=before, careless=careless)
        try:
            yield director, ending
        except AssertionError as error:
            error.add_note(f"{director}: {ending.log}")
            raise


def test_two_creates_of_one_name_end_in_one_pair() -> None:
    for director, ending in endings([creating(), creating()]):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        ending.whole(NAME)
        ending.take_away()


def test_a_create_and_a_teardown_end_in_a_whole_pair_or_in_none() -> None:
    states = set()
    for director, ending in endings([creating(), tearing_down()]):
        made, torn = (actor.failed for actor in ending.actors)
        assert made is None or isinstance(made, TornDownError), (director, made)
        assert torn is None or isinstance(torn, NotFoundError), (director, torn)
        states.add(bool(ending.reservations))
        if ending.reservations:
            assert made is None
            ending.whole(NAME)
            ending.take_away()
        else:
            ending.clean()
        if made is not None:
            assert made.hint
    assert states == {True, False}


def test_two_teardowns_leave_nothing() -> None:
    for director, ending in endings([tearing_down(), tearing_down()], before=creating()):
        failed = [actor.failed for actor in ending.actors]
        assert all(error is None or isinstance(error, NotFoundError) for error in failed), (director, failed)
        assert None in failed, director
        ending.clean()


@pytest.mark.parametrize("careless", [False, True])
def test_two_pairs_on_the_same_nodes_are_made_at_once(careless: bool) -> None:
    for director, ending in endings([creating(), creating(second())], careless=careless):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        pairs = [ending.whole(NAME), ending.whole("other")]
        assert len({pair.vip for pair in pairs}) == len({pair.vrid for pair in pairs}) == 2
        ending.take_away()


@pytest.mark.parametrize("careless", [False, True])
def test_two_pairs_on_the_same_nodes_are_taken_away_at_once(careless: bool) -> None:
    def both(ctx: object) -> None:
        creating()(ctx)  # type: ignore[arg-type]
        creating(second())(ctx)  # type: ignore[arg-type]

    for director, ending in endings([tearing_down(NAME), tearing_down("other")], before=both, careless=careless):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        ending.clean()


@pytest.mark.parametrize("careless", [False, True])
def test_one_pair_is_made_while_another_is_taken_away_on_the_same_nodes(careless: bool) -> None:
    runs: list[Run] = [creating(), tearing_down("other")]
    for director, ending in endings(runs, before=creating(second()), careless=careless):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        ending.whole(NAME)
        assert len(ending.reservations) == 1
        ending.take_away()


@pytest.mark.parametrize("seed", [3, 14])
def test_a_play_can_be_repeated(seed: int) -> None:
    logs = [play([creating(HOWTO), tearing_down()], Chance(seed)).log for _ in range(2)]
    assert logs[0] == logs[1]
    assert {line[0] for line in logs[0]} == {"A", "B"}

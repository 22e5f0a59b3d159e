"""Two runs of haos at once, one step of one of them at a time, in many orders: each must end in a clean state.

Orders are enumerated where one run comes on once, at every step of the other, and plays to its end; beyond that they
are drawn at random, by seeds that are named. A round plays a share of them: see rounds.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import pytest

from haos.core.model import RESERVATION_OWNER
from haos.core.report import FailoverReport
from haos.errors import LeftoverError, NotFoundError, UnsatisfiableError
from haos.workflow.context import Context, PortAmendment
from haos.workflow.create import Created
from haos.workflow.recheck import TornDownError
from tests.fakes import NETWORK, FakeNode
from tests.races.plays import (
    HOWTO,
    PROVEN,
    Ending,
    Run,
    alone,
    creating,
    moving,
    play,
    repairing,
    second,
    tearing_down,
    trying,
)
from tests.races.rounds import ROUND, share
from tests.races.stage import MAX_STEPS, Chance, Director, Turns

NAME = "ha_first-ha_second"


def orders(runs: list[Run], *, before: Run | None = None) -> Iterator[Director]:
    """Yield every order with one switch, either way."""
    for first, other, run in (("A", "B", runs[0]), ("B", "A", runs[1])):
        for at in range(len(alone(run, before=before)) + 1):
            yield Turns([(first, at), (other, MAX_STEPS)])


def one_after_the_other() -> Iterator[Director]:
    """Yield the two orders in which nobody interferes."""
    for first, other in ("AB", "BA"):
        yield Turns([(first, MAX_STEPS), (other, MAX_STEPS)])


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
    """Play this round's share of all orders, one drawn at random, and those in which nobody interferes."""
    more = collisions(runs, before=before) if careless else ()
    every = share(chain(more, orders(runs, before=before)))
    for director in chain(one_after_the_other(), every, [Chance(ROUND)]):
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


SLOW = {"remove": 20.0, "amend_port": 20.0, "delete_group": 20.0}
"""So long a step may take until a teardown is at work for longer than a mark counts."""


@pytest.mark.parametrize("other", [creating(), repairing])
def test_a_teardown_that_is_slow_is_not_taken_for_dead(other: Run) -> None:
    steps = alone(tearing_down(), before=creating())
    for at in range(steps.index("A: add_tag"), len(steps) + 1):
        director = Turns([("A", at), ("B", MAX_STEPS)])
        ending = play([tearing_down(), other], director, before=creating(), takes_s=SLOW)
        torn, made = (actor.failed for actor in ending.actors)
        assert torn is None, (director, torn, ending.log)
        assert made is None or made.hint, (director, made)
        if ending.reservations:
            ending.whole(NAME)
        ending.take_away()


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


def test_two_creates_of_one_name_that_prove_it_both_see_it_work() -> None:
    for director, ending in endings([creating(PROVEN), creating(PROVEN)]):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        assert ending.whole(NAME).verified
        for actor in ending.actors:
            assert isinstance(actor.result, Created)
            assert actor.result.proven, (director, actor.result.verification)
        ending.take_away()


def test_a_create_that_proves_and_a_teardown_end_in_a_whole_pair_or_in_none() -> None:
    for director, ending in endings([creating(PROVEN), tearing_down()], before=creating()):
        made, torn = (actor.failed for actor in ending.actors)
        assert torn is None or isinstance(torn, NotFoundError), (director, torn)
        assert made is None or isinstance(made, TornDownError | UnsatisfiableError), (director, made)
        if ending.reservations:
            ending.whole(NAME)
        ending.take_away()


def text_on(node: FakeNode) -> str:
    """Return the pair's file."""
    return next(file.text for file in node.files[NAME].files if file.path.endswith(f"/{NAME}.conf"))


def test_a_change_and_a_create_that_changes_nothing_end_in_the_changed_pair() -> None:
    fast = replace(HOWTO, advertisement_interval_s=0.1)
    for director, ending in endings([creating(), creating(fast)], before=creating()):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        assert ending.whole(NAME).timing.advertisement_interval_s == 0.1
        assert all("advert_int 0.1\n" in text_on(node) for node in ending.nodes), director
        ending.take_away()


def test_two_changes_end_in_one_of_them_on_record_and_nodes_alike() -> None:
    fast, slow = (replace(HOWTO, advertisement_interval_s=interval_s) for interval_s in (0.1, 1.0))
    for director, ending in endings([creating(fast), creating(slow)], before=creating()):
        interval_s = ending.whole(NAME).timing.advertisement_interval_s
        assert interval_s in (0.1, 1.0)
        for node in ending.nodes:
            assert f"advert_int {interval_s:g}\n" in text_on(node), (director, ending.log)
        assert None in [actor.failed for actor in ending.actors], director
        ending.take_away()


def drifted(ctx: Context) -> None:
    """Make a pair, and let somebody take an address pair and a file of it away."""
    creating()(ctx)
    for port in ctx.cloud.ports(NETWORK):
        if port.pairs and port.device_owner != RESERVATION_OWNER:
            ctx.cloud.amend_port(port, PortAmendment(remove_pairs=port.pairs[-1:]))


@pytest.mark.parametrize("other", [creating(), repairing])
def test_a_repair_beside_another_run_ends_in_the_whole_pair(other: Run) -> None:
    for director, ending in endings([repairing, other], before=drifted):
        assert [actor.failed for actor in ending.actors] == [None, None], director
        ending.whole(NAME)


def test_a_repair_beside_a_teardown_leaves_nothing() -> None:
    for director, ending in endings([repairing, tearing_down()], before=creating()):
        assert ending.actors[1].failed is None, director
        ending.clean()


def test_of_two_switchovers_one_moves_the_vip_and_the_other_says_so() -> None:
    for director, ending in endings([moving, moving], before=creating(PROVEN)):
        failed = [actor.failed for actor in ending.actors if actor.failed is not None]
        assert all(isinstance(error, UnsatisfiableError) and error.hint for error in failed), (director, failed)
        moves = 2 - len(failed)
        pair = ending.whole(NAME)
        home = pair.members[0].priority > pair.members[1].priority
        assert home == (moves == 2), director
        assert not any(node.weights for node in ending.nodes), director


def test_a_switchover_beside_a_teardown_leaves_nothing() -> None:
    for director, ending in endings([moving, tearing_down()], before=creating(PROVEN)):
        assert ending.actors[1].failed is None, director
        assert not isinstance(ending.actors[0].failed, LeftoverError), director
        ending.clean()


def test_a_failover_test_beside_a_teardown_says_that_it_could_not_see_or_why_it_ended() -> None:
    for director, ending in endings([trying, tearing_down()], before=creating(PROVEN)):
        assert ending.actors[1].failed is None, director
        report = ending.actors[0].result
        if ending.actors[0].failed is None:
            assert isinstance(report, FailoverReport)
        else:
            assert ending.actors[0].failed.hint
        ending.clean()


@pytest.mark.parametrize("seed", [3, 14])
def test_a_play_can_be_repeated(seed: int) -> None:
    logs = [play([creating(HOWTO), tearing_down()], Chance(seed)).log for _ in range(2)]
    assert logs[0] == logs[1]
    assert {line[0] for line in logs[0]} == {"A", "B"}

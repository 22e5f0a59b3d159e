"""What is played on the stage: two runs at once on one pair or on one pair of nodes, and how it must end."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import haos.workflow.parallel
from haos.core import record
from haos.core.model import RESERVATION_OWNER, Pair, Port
from haos.core.plan import added_pairs, has_pair
from haos.core.report import FailoverReport
from haos.errors import HaosError
from haos.workflow import repair, switchover
from haos.workflow.context import Context
from haos.workflow.create import Created, create, prepare
from haos.workflow.errands import Errands
from haos.workflow.failover import failover_test, plan_failover
from haos.workflow.request import CreateRequest, FailoverRequest
from haos.workflow.teardown import teardown
from tests.fakes import FakeNode, World, context_of, howto_world
from tests.races.stage import Actor, Director, Stage

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), verify=False)
PROVEN = replace(HOWTO, verify=True)
LATER_S = 61.0
"""After it no mark of a run counts that has ended."""

Run = Callable[[Context], object]


def creating(request: CreateRequest = HOWTO) -> Callable[[Context], Created]:
    """Return a run of `haos create`."""

    def run(ctx: Context) -> Created:
        return create(prepare(request, ctx), ctx, lambda _: None)

    return run


def tearing_down(name: str | None = None) -> Run:
    """Return a run of `haos teardown --purge`."""
    return lambda ctx: teardown(name, purge=True, ctx=ctx)


def repairing(ctx: Context) -> object:
    """Run `haos repair --no-verify`."""
    return repair.repair(repair.prepare(None, None, ctx, verify=False), ctx, lambda _: None)


def moving(ctx: Context) -> object:
    """Run `haos switchover`."""
    return switchover.switchover(switchover.prepare(None, None, back=False, observer_ref=None, ctx=ctx), ctx)


def trying(ctx: Context) -> FailoverReport:
    """Run `haos failover-test --fault withdraw`."""
    return failover_test(plan_failover(FailoverRequest(faults=("withdraw",)), ctx), ctx)


@dataclass(frozen=True)
class Ending:
    """How a play has ended."""

    world: World
    before: object  # the world's state before anything
    actors: tuple[Actor, ...]
    log: tuple[str, ...]

    @property
    def reservations(self) -> list[Port]:
        return [port for port in self.world.ports.values() if port.device_owner == RESERVATION_OWNER]

    @property
    def nodes(self) -> list[FakeNode]:
        return [node for node in self.world.nodes.values() if node.instance.name.startswith("ha_")]

    def whole(self, name: str) -> Pair:
        """Return the pair of that name, seen to be there whole and once."""
        [port] = [port for port in self.reservations if port.device_id == f"haos-{name}"]
        pair = record.decode(port)
        assert not port.tags, f"a mark is left: {port.tags}"
        groups = [group.id for group in self.world.groups.values() if group.name == f"haos-{name}"]
        assert len(groups) == pair.has_group, f"groups {groups}"
        for member in pair.members:
            own = self.world.ports[member.port_id]
            assert all(has_pair(own, one) for one in added_pairs(own, pair, member.added)), f"pairs of {own}"
            assert [one for one in own.group_ids if one in groups] == groups, f"groups of {own}"
        for node in self.nodes:
            assert name in node.files, f"{node.instance.name} has no files of {name}"
            assert node.files[name].vip == pair.vip
            assert (node.daemon, node.enabled, node.pending) == (True, True, False), node.instance.name
            assert name in node.running, f"{node.instance.name} does not run {name}"
        return pair

    def clean(self) -> None:
        """See that nothing is left of any pair."""
        assert self.world.snapshot() == self.before, "the world is not as it was"

    def take_away(self) -> None:
        """Tear down what there is, and see that nothing is left."""
        self.world.clock.sleep(LATER_S)
        for port in self.reservations:
            teardown(port.id, purge=True, ctx=context_of(self.world))
        self.clean()


def play(
    runs: Sequence[Run],
    director: Director,
    *,
    before: Run | None = None,
    careless: bool = False,
    takes_s: Mapping[str, float] | None = None,
) -> Ending:
    """Play runs of haos at once, named A, B, …, and return how it ended; every error is one that haos expects.

    Some steps may take longer than others, by `takes_s`. A `careless` Neutron looks at the revision of a port in one
    step and writes it in the next: who writes last wins.
    """
    world = howto_world()
    untouched = world.snapshot()
    if before is not None:
        before(context_of(world))
    stage = Stage(world, director, takes_s)
    if careless:
        world.effects.strike = stage.between
    actors = [stage.add(name, run) for name, run in zip("ABCD", runs, strict=False)]
    with _one_thread_a_run():
        stage.run()
    for actor in actors:
        assert actor.failed is None or isinstance(actor.failed, HaosError)
    return Ending(world, untouched, tuple(actors), tuple(stage.log))


@contextmanager
def _one_thread_a_run() -> Iterator[None]:
    """Let each run, too, do one thing after the other: else no play could be repeated."""
    threads, start = haos.workflow.parallel.MAX_THREADS, Errands.start
    haos.workflow.parallel.MAX_THREADS = 1
    Errands.start = _at_once  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        haos.workflow.parallel.MAX_THREADS = threads
        Errands.start = start  # type: ignore[method-assign]


def _at_once(errands: Errands, key: Hashable, work: Callable[[], object]) -> None:
    errands._under_way.add(key)
    errands._run(key, work)


class _First:
    """Lets whoever comes first play to its end."""

    def choose(self, ready: Sequence[str]) -> str:
        return ready[0]


def alone(run: Run, *, before: Run | None = None, careless: bool = False) -> Sequence[str]:
    """Return the steps of a run that nobody interferes with."""
    return play([run], _First(), before=before, careless=careless).log


def second(request: CreateRequest = HOWTO) -> CreateRequest:
    """Return a request for another pair on the same nodes."""
    return replace(request, name="other")

"""`haos repair`: bring a pair back to what its record says, and say what cannot be brought back.

What is in the way goes first (a fault, a port that is down, an old host key); then the pair is looked at again, since
only then all of it can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from haos.core.model import Node, Pair
from haos.core.outage import Verdict
from haos.core.repair import Step
from haos.core.status import PairStatus, Trouble
from haos.errors import HaosError, Interrupted, LeftoverError, RecordError
from haos.workflow.context import Context
from haos.workflow.recheck import RewrittenError, TornDownError, refuse_leaving
from haos.workflow.repair_plan import RepairPlan, plan_repair
from haos.workflow.repair_steps import Done, make_changes, make_openings
from haos.workflow.request import CreateRequest
from haos.workflow.settle import POLL_S, SETTLE_TIMEOUT_S
from haos.workflow.status import examine
from haos.workflow.trust import refuse_unconfirmed
from haos.workflow.verify import Verification, look_on, prove

ROUNDS = 4
"""How often what was behind something else is repaired in turn: a fault, a port, a host key, then the rest."""


LOOKS = 3
LOOK_PAUSE_S = 2.0
"""So long another run may take from writing a record to the first node's file."""


@dataclass(frozen=True)
class Repaired:
    """How a repair ended."""

    pair: Pair
    done: tuple[Done, ...]  # in their order
    beyond: tuple[Trouble, ...]  # what could not be repaired, and what helps
    status: PairStatus  # as it is now
    verification: Verification | None  # None where it was not wanted, or the pair is not whole

    @property
    def made(self) -> tuple[Done, ...]:
        """The steps that were made."""
        return tuple(one for one in self.done if one.error is None)

    @property
    def failed(self) -> tuple[Done, ...]:
        """The steps that were not."""
        return tuple(one for one in self.done if one.error is not None)

    @property
    def well(self) -> bool:
        """Whether the pair is seen to be as it should be, by the last look too."""
        return self.status.healthy and self.proven

    @property
    def proven(self) -> bool:
        """Whether all was seen that was to be seen."""
        seen = self.verification
        if seen is None or seen.verdict is Verdict.PASS:
            return True
        return self.status.observation is None and seen.taken_over


def request_of(pair: Pair, nodes: Sequence[Node], observer: str | None) -> CreateRequest:
    """Return the request that means "this recorded pair, nothing changed"; by ids, since names may be given twice.

    `nodes` in any order: the record's stands.
    """
    return CreateRequest(pair.network_id, tuple(node.instance.id for node in nodes), pair.name, observer=observer)


def prepare(
    name: str | None, observer: str | None, ctx: Context, *, verify: bool = True, verify_failover: bool = False
) -> RepairPlan:
    """Look at the pair and plan; changes nothing. Raises what find_pair does, and UnsatisfiableError."""
    for left in reversed(range(LOOKS)):
        examined = examine(name, observer, ctx)
        refuse_leaving(examined.view.reservation, examined.view.pair.name, ctx)
        request = request_of(examined.view.pair, examined.view.members, observer)
        try:
            return plan_repair(examined, replace(request, verify=verify, verify_failover=verify_failover), ctx)
        except RecordError:  # another run may have changed the pair since the look at the cloud
            if not left:
                raise
            ctx.clock.sleep(LOOK_PAUSE_S)
    raise AssertionError("the last look ends with a plan or an error")


def again(prepared: RepairPlan, ctx: Context) -> RepairPlan:
    """Look and plan anew."""
    request = prepared.request
    return prepare(
        prepared.pair.name, request.observer, ctx, verify=request.verify, verify_failover=request.verify_failover
    )


def repair(prepared: RepairPlan, ctx: Context, replan: Callable[[RepairPlan], None]) -> Repaired:
    """Make all steps, tell `replan` of those that come to light on the way, and see whether the pair is well.

    Nothing that was repaired is undone; each step that fails is. Raises Interrupted where the user does, and
    TornDownError or RewrittenError where another run takes the pair away, or changes it, and LeftoverError where the
    pair can be looked at no more once steps were made.
    """
    done: list[Done] = []
    try:
        prepared = _rounds(prepared, done, ctx, replan)
        return _concluded(prepared, tuple(done), ctx)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted{_so_far(done)}", hint=_goes_on(prepared)) from None
    except TornDownError as torn:
        raise TornDownError(torn.reason, hint="haos list") from torn
    except RewrittenError as rewritten:
        raise RewrittenError(f"{rewritten.reason}{_so_far(done)}", hint=rewritten.hint) from rewritten
    except HaosError as error:
        if not done:
            raise
        raise LeftoverError(f"{error}{_so_far(done)}", hint=_goes_on(prepared)) from error


def _so_far(done: Sequence[Done]) -> str:
    """Say what a repair that ends midway has done, and what of it failed."""
    if not done:
        return ""
    errors = [str(one.error) for one in done if one.error is not None]
    made = len(done) - len(errors)
    stays = "1 step was made, and stays" if made == 1 else f"{made} steps were made, and stay"
    return "; ".join([f"; of what was to be repaired {stays}", *(f"one failed: {error}" for error in errors)])


def _goes_on(prepared: RepairPlan) -> str:
    return f"haos repair {prepared.pair.name} goes on from here"


def _rounds(prepared: RepairPlan, done: list[Done], ctx: Context, replan: Callable[[RepairPlan], None]) -> RepairPlan:
    """Go round until nothing is left to do, or nothing helps; return what was seen last."""
    hopeless = set[Step]()
    for _ in range(ROUNDS):
        if not prepared.steps:
            break
        opening = bool(prepared.openings)
        for one in (make_openings if opening else make_changes)(prepared, ctx):
            done.append(one)
            hopeless |= {one.step} if one.error is not None else set()
        tried, prepared = prepared.steps, again(prepared, ctx)
        prepared = _without(hopeless, prepared)
        if prepared.steps == tried or hopeless.intersection(prepared.steps):
            break
        if prepared.steps:
            replan(prepared)
    return prepared


def _without(hopeless: Set[Step], prepared: RepairPlan) -> RepairPlan:
    """Leave out openings that cannot be made; and the rest too, where nothing that was seen confirms the record."""
    left = replace(prepared, openings=tuple(step for step in prepared.openings if step not in hopeless))
    if left.openings or left.openings == prepared.openings:
        return left
    try:
        refuse_unconfirmed(left.pair, left.seen.facts)
    except RecordError as error:
        why = Trouble("record", "", error.reason, error.hint)
        nothing = replace(left.plan, changes=())
        return replace(left, plan=nothing, weights=(), beyond=(*left.beyond, why))
    return left


def _concluded(prepared: RepairPlan, done: tuple[Done, ...], ctx: Context) -> Repaired:
    """See how the pair is once it has settled; by a trial failover too, where that was wanted."""
    request, status = prepared.request, prepared.examined.status
    verification = None
    if request.verify and prepared.whole and not prepared.beyond:
        if done or request.verify_failover or not status.healthy:
            seen, nodes = prove if request.verify_failover else look_on, prepared.place.nodes
            verification = seen(prepared.pair, nodes, prepared.examined.watcher, ctx)
            status = _settled(prepared, ctx)
    elif request.verify and done:
        status = _settled(prepared, ctx)
    return Repaired(prepared.pair, done, prepared.beyond, status, verification)


def _settled(prepared: RepairPlan, ctx: Context) -> PairStatus:
    """Look until the nodes that are there agree, for as long as a pair may take for that."""
    pair = prepared.pair
    deadline_s = ctx.clock.now_s() + pair.timing.preempt_delay_s + SETTLE_TIMEOUT_S
    while True:
        status = examine(pair.name, prepared.request.observer, ctx).status
        if not status.may_be_in_motion or ctx.clock.now_s() >= deadline_s:
            return status
        ctx.clock.sleep(POLL_S)

"""The steps of a repair, each made for itself: what fails is undone, and holds up only what depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from haos.core.changes import Change, Configure, InstallKeepalived, MakeGroup, MendGroup, UpdateRecord
from haos.core.model import Node
from haos.core.plan import Plan, Seen
from haos.core.repair import DropWeight, EnablePort, EndTest, Opening, Step, TrustKey, UndoFault, nodes_of, rests_on
from haos.errors import HaosError, RemoteError
from haos.workflow.apply import apply
from haos.workflow.context import Context
from haos.workflow.recheck import RewrittenError, TornDownError
from haos.workflow.repair_plan import RepairPlan
from haos.workflow.restore import heal_node, undo_announced
from haos.workflow.settle import once_reachable
from haos.workflow.turns import alone_on

REACH_TIMEOUT_S = 30.0
"""How long an instance may take to be reached once its port is up."""
FOUNDATION = (UpdateRecord, MakeGroup, MendGroup)
"""If one of these fails, nothing after it is begun: no daemon runs before the ports may speak for the VIP."""


@dataclass(frozen=True)
class Done:
    """A step that was made or, with an error, was not; with what was seen before it."""

    step: Step
    seen: Seen
    error: HaosError | None = None


def make_openings(prepared: RepairPlan, ctx: Context) -> Iterator[Done]:
    """Open the way to what is behind a fault, a port that is down, an old host key.

    A node is not let back to where it would do harm: what its port and the rules need is there before.
    """
    failed = set[str]()
    for one in _make_each(prepared.before, prepared, failed, ctx):
        yield one
        if one.error is not None and isinstance(one.step, FOUNDATION):
            return
    wanted = [step for step in prepared.openings if not nodes_of((step,)) & failed]
    faults = [step.intent.tag for step in wanted if isinstance(step, UndoFault)]
    undone = _undo_announced(faults, prepared, ctx) if faults else None
    for step in wanted:
        error = undone if isinstance(step, UndoFault) else _open(step, prepared, ctx)
        yield Done(step, prepared.seen, error)


def _undo_announced(tags: Sequence[str], prepared: RepairPlan, ctx: Context) -> HaosError | None:
    view = prepared.examined.view
    try:
        undo_announced(view.pair, replace(view.reservation, tags=tuple(tags)), dict(view.nodes), view.ports, ctx)
    except HaosError as error:
        return error
    return None


def _open(step: Opening, prepared: RepairPlan, ctx: Context) -> HaosError | None:
    try:
        match step:
            case EnablePort(name, port_id):
                _enable(node_of(name, prepared), port_id, ctx)
            case TrustKey(name, fingerprints):
                with ctx.progress.step(f"keep the host key that {name}'s console log shows"):
                    ctx.fleet.trust_anew(node_of(name, prepared).instance, fingerprints)
            case EndTest(name):
                with ctx.progress.step(f"end what a failover-test has left on {name}"):
                    heal_node(node_of(name, prepared), ctx)
    except HaosError as error:
        return error
    return None


def _enable(node: Node, port_id: str, ctx: Context) -> None:
    """Set the port up, and wait until the node is there again; one that stays away is named by the next look."""
    with ctx.progress.step(f"set {node.name}'s port up"):
        ctx.cloud.set_port_up(port_id, True)
        ctx.fleet.renew(node.instance)
        with suppress(RemoteError):
            once_reachable(node, lambda: ctx.fleet.node(node.instance).wall_s(), REACH_TIMEOUT_S, ctx)


def make_changes(prepared: RepairPlan, ctx: Context) -> Iterator[Done]:
    """Make the planned changes in their order, then drop the weights."""
    failed = set[str]()
    for one in _make_each(prepared.after, prepared, failed, ctx):
        yield one
        if one.error is not None and isinstance(one.step, FOUNDATION):
            return
    for weight in prepared.weights:
        if weight.node not in failed:
            yield Done(weight, prepared.seen, _drop(weight, prepared, ctx))


def _make_each(plan: Plan, prepared: RepairPlan, failed: set[str], ctx: Context) -> Iterator[Done]:
    """Make changes, but for those on nodes of which one has `failed`. Raises TornDownError or RewrittenError.

    What another run has changed meanwhile is not to be overwritten by what was planned before.
    """
    seen = prepared.seen
    for changes in _together(plan.changes, prepared):
        if nodes_of(changes) & failed:
            continue
        try:
            ledger = apply(replace(plan, changes=changes), seen, ctx, hint=_hint(prepared))
        except RewrittenError:  # seen once they were made
            yield from (Done(change, prepared.seen) for change in changes)
            raise
        except HaosError as error:
            if any(isinstance(one, TornDownError | RewrittenError) for one in (error, error.__cause__)):
                raise
            yield from (Done(change, prepared.seen, error) for change in changes)
            if isinstance(changes[0], FOUNDATION):
                return
            failed |= rests_on(changes[0])
        else:
            seen = replace(seen, reservation=ledger.reservation, group=ledger.group)
            yield from (Done(change, prepared.seen) for change in changes)


def _hint(prepared: RepairPlan) -> str:
    name = prepared.pair.name
    return f"haos repair {name} goes on from here; haos teardown {name} takes it all away"


def _together(changes: Sequence[Change], prepared: RepairPlan) -> Iterator[tuple[Change, ...]]:
    """Yield what is made and undone as one.

    On a node without a file of the pair an undo takes off everything, and with it the note whose the package is.
    """
    name, facts = prepared.pair.name, prepared.seen.facts
    installs = {change.node: change for change in changes if isinstance(change, InstallKeepalived)}
    configured = {change.node for change in changes if isinstance(change, Configure)}
    both = {node for node in configured.intersection(installs) if name not in facts[node].pair_files}
    for change in changes:
        match change:
            case InstallKeepalived(node) if node in both:
                continue
            case Configure(node) if node in both:
                yield installs[node], change
            case _:
                yield (change,)


def _drop(weight: DropWeight, prepared: RepairPlan, ctx: Context) -> HaosError | None:
    try:
        node = node_of(weight.node, prepared)
        # A switchover that is at work takes it away itself; one that was killed has its turn a little longer.
        with (
            alone_on(prepared.pair, [node], "a repair", ctx),
            ctx.progress.step(f"let {weight.node} count as its priority says"),
        ):
            ctx.fleet.node(node.instance).weigh(prepared.pair.name, 0)
    except HaosError as error:
        return error
    return None


def node_of(name: str, prepared: RepairPlan) -> Node:
    """Return the node of that name."""
    return next(node for node in prepared.place.nodes if node.name == name)

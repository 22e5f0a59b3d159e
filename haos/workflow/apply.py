"""Carry out a plan, keep a ledger of what would undo it, and undo it if it cannot be finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from threading import Lock

from haos.core import record
from haos.core.changes import (
    Activate,
    AdmitVip,
    AmendPort,
    Change,
    CleanNode,
    Configure,
    DeleteGroup,
    DeletePort,
    InstallKeepalived,
    MakeGroup,
    PortAmendment,
    ReserveVip,
    Undo,
    describe_undo,
)
from haos.core.model import Node, Pair, Port, SecurityGroup
from haos.core.node import Removal
from haos.core.plan import Plan, Seen
from haos.errors import HaosError, LeftoverError, NotFoundError, StepError
from haos.workflow.context import Cloud, Context
from haos.workflow.parallel import for_each


class LostRaceError(HaosError):
    """Somebody else reserved a VIP for the same name a moment earlier; his reservation stands."""


@dataclass
class Ledger:
    """What this run has done, as the undos that take it back; written before each effect."""

    reservation: Port | None
    group: SecurityGroup | None
    undos: list[Undo] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, undo: Undo) -> None:
        """Remember an undo; one for a node takes the place of an earlier one for the same node."""
        with self.lock:
            if isinstance(undo, CleanNode):
                same = [old for old in self.undos if isinstance(old, CleanNode) and old.node == undo.node]
                if any(old.removal.purge_package for old in same):
                    return
                self.undos = [old for old in self.undos if old not in same]
            self.undos.append(undo)

    def forget(self, undo: Undo) -> None:
        """Forget an undo whose effect did not take place."""
        with self.lock:
            self.undos = [old for old in self.undos if old != undo]


def apply(plan: Plan, seen: Seen, ctx: Context) -> Ledger:
    """Make every change of the plan, in its order; the same kind in parallel where order does not matter.

    If one fails for good, or the user interrupts, all that this run did is undone in reverse and the error raised;
    what could not be undone is listed in a LeftoverError.
    """
    ledger = Ledger(seen.reservation, seen.group)
    try:
        for changes in in_batches(plan.changes):
            for_each(changes, lambda change: _make(change, plan, seen, ledger, ctx))
    except (HaosError, KeyboardInterrupt) as error:
        raise_after_undo(error, ledger, plan.desired.nodes, ctx)
    return ledger


_TOGETHER = (AdmitVip, InstallKeepalived)


def in_batches(changes: Iterable[Change]) -> Iterator[Sequence[Change]]:
    """Yield changes that may be made side by side."""
    for kind, group in groupby(changes, key=type):
        if kind in _TOGETHER:
            yield list(group)
        else:
            yield from ([change] for change in group)


def _make(change: Change, plan: Plan, seen: Seen, ledger: Ledger, ctx: Context) -> None:
    nodes = {node.name: node for node in plan.desired.nodes}
    pair = plan.desired.pair
    fresh = {name for name, facts in seen.facts.items() if pair.name not in facts.pair_files}
    match change:
        case ReserveVip():
            _reserve(change, ledger, ctx)
        case MakeGroup():
            _make_group(change, ledger, ctx)
        case AdmitVip():
            _admit(change, nodes[change.node], ledger, ctx)
        case InstallKeepalived():
            _told(
                ctx,
                f"install keepalived on {change.node}",
                lambda: _install(nodes[change.node], pair, fresh, ledger, ctx),
            )
        case Configure():
            _told(ctx, f"configure {change.node}", lambda: _configure(change, nodes[change.node], fresh, ledger, ctx))
        case Activate():
            agent = ctx.fleet.node(nodes[change.node].instance)
            _told(ctx, f"start keepalived on {change.node}", agent.activate)


def _told(ctx: Context, title: str, work: Callable[[], object]) -> None:
    with ctx.progress.step(title):
        work()


def _reserve(change: ReserveVip, ledger: Ledger, ctx: Context) -> None:
    wanted = change.reservation
    with ctx.progress.step(f"reserve {wanted.address} with VRID {change.vrid}"):
        port = ctx.cloud.reserve(wanted)
        ledger.reservation = port
        ledger.note(DeletePort(port.id))
        rivals = [
            other.id
            for other in ctx.cloud.reservations()
            if other.device_id == wanted.device_id
            and other.network_id == wanted.network_id
            and other.project_id == port.project_id
        ]
        if rivals and min(rivals) != port.id:
            raise LostRaceError(f"{wanted.device_id} was made by somebody else at the same time")


def _make_group(change: MakeGroup, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step(f"make security group {change.name}"):
        if change.stale_id:
            ctx.cloud.delete_group(change.stale_id)
        assert ledger.reservation is not None, "a group is made for a reservation"
        ledger.group = ctx.cloud.make_group(change.name, group_description(ledger.reservation.id), change.rules)
        ledger.note(DeleteGroup(ledger.group.id))


def group_description(reservation_id: str) -> str:
    """Return the description that marks a security group as belonging to one reservation of haos."""
    return f"haos:vip {reservation_id}"


def _admit(change: AdmitVip, node: Node, ledger: Ledger, ctx: Context) -> None:
    groups = (ledger.group.id,) if change.group and ledger.group else ()
    pairs = (change.pair,) if change.pair else ()
    undo = PortAmendment(remove_pairs=pairs, remove_groups=groups)
    with ctx.progress.step(f"let {change.node}'s port speak for the VIP"):
        ledger.note(AmendPort(change.node, change.port_id, undo))
        ctx.cloud.amend_port(node.port, PortAmendment(add_pairs=pairs, add_groups=groups))


def _install(node: Node, pair: Pair, fresh: set[str], ledger: Ledger, ctx: Context) -> None:
    # A pair that lay on the node before this run is not this run's to take away.
    if node.name in fresh:
        ledger.note(CleanNode(node.name, Removal(pair.name, pair.vip, None, purge_package=True)))
    ctx.fleet.node(node.instance).install_keepalived()


def _configure(change: Configure, node: Node, fresh: set[str], ledger: Ledger, ctx: Context) -> None:
    config = change.config
    undo = CleanNode(node.name, Removal(config.pair, config.vip, config.interface))
    if node.name in fresh:
        ledger.note(undo)
    if not ctx.fleet.node(node.instance).configure(config):
        ledger.forget(undo)  # somebody else has put the same files there meanwhile


def raise_after_undo(error: BaseException, ledger: Ledger, nodes: Sequence[Node], ctx: Context) -> None:
    """Undo all that the ledger holds, then raise the error; or LeftoverError if something could not be undone."""
    left = undo_all(ledger.undos, nodes, ctx)
    if left:
        reason = str(error) or "interrupted"
        listed = "; ".join(left)
        raise LeftoverError(
            f"{reason}. Not undone: {listed}",
            hint="the same haos create goes on from here; haos teardown takes it all away",
        ) from error
    raise error


def undo_all(undos: Sequence[Undo], nodes: Sequence[Node], ctx: Context) -> list[str]:
    """Undo in reverse; return what could not be undone. The reservation stays as long as anything else does."""
    left: list[str] = []
    for undo in reversed(undos):
        what = describe_undo(undo)
        if left and isinstance(undo, DeletePort):
            left.append(f"{what} (kept, so that haos teardown finds the rest)")
            continue
        try:
            with ctx.progress.step(f"undo: {what}"):
                _undo(undo, {node.name: node for node in nodes}, ctx)
        except HaosError as error:
            left.append(f"{what} ({error})")
    return left


def _undo(undo: Undo, nodes: dict[str, Node], ctx: Context) -> None:
    match undo:
        case DeletePort(port_id):
            ctx.cloud.delete_port(port_id)
        case DeleteGroup(group_id):
            ctx.cloud.delete_group(group_id)
        case AmendPort(node, _, amendment):
            withdraw_from_port(ctx.cloud, nodes[node].port, amendment)
        case CleanNode(node, removal):
            removed = ctx.fleet.node(nodes[node].instance).remove(removal)
            if removed.left:
                raise StepError("; ".join(removed.left))


def withdraw_from_port(cloud: Cloud, port: Port, amendment: PortAmendment) -> None:
    """Take pairs and groups off a port as it is now; a port that is gone carries nothing."""
    try:
        cloud.amend_port(cloud.port(port.id), amendment)
    except NotFoundError:
        return


def mark_verified(pair: Pair, ctx: Context) -> None:
    """Write into the record that a trial failover was seen to work."""
    ctx.cloud.describe(pair.reservation_id, record.encode(replace(pair, verified=True)))

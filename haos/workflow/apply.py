"""Carry out a plan, keep a ledger of what would undo it, and undo it if it cannot be finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    AmendPort,
    Change,
    CleanNode,
    Configure,
    DeleteFloatingIp,
    DeleteGroup,
    DeleteMarkedGroups,
    DeletePort,
    DeleteReservation,
    DismissVip,
    InstallKeepalived,
    LeavePair,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    ReleaseFloatingIp,
    ReleasePort,
    RemovePair,
    ReserveVip,
    RestoreNode,
    RestoreRules,
    RewriteRecord,
    TakeFloatingIp,
    Undo,
    UpdateRecord,
    describe_undo,
)
from haos.core.model import Node, Pair
from haos.core.names import floating_mark, group_mark
from haos.core.node import NodeConfig, Removal
from haos.core.plan import Plan, Seen
from haos.errors import HaosError, LeftoverError, UncertainError
from haos.workflow.context import Context
from haos.workflow.last_look import (
    amendment_of,
    look_again,
    rival_groups,
    rival_reservations,
    sweeping,
    torn_down,
)
from haos.workflow.ledger import Ledger
from haos.workflow.packages import telling_who_holds_it_up
from haos.workflow.parallel import for_each
from haos.workflow.recheck import RewrittenError, forget_leaving, refuse_leaving
from haos.workflow.rivals import gives_way_to
from haos.workflow.undo import CREATE_HINT, clean, raise_after_undo


class LostRaceError(HaosError):
    """Somebody else reserved a VIP for the same name a moment earlier; his reservation stands."""


def apply(
    plan: Plan, seen: Seen, ctx: Context, *, keep: bool = False, completes: bool = False, hint: str = CREATE_HINT
) -> Ledger:
    """Make every change of the plan, in its order; the same kind in parallel where order does not matter.

    If one fails for good, or the user interrupts, all that this run did is undone in reverse and the error raised;
    what could not be undone is listed in a LeftoverError with `hint`. With `keep` nothing is undone, and all of it is
    listed; likewise where the plan only `completes` a recorded pair: whoever has recorded it may be at work on it.
    Raises TornDownError where another run takes the pair away meanwhile, RewrittenError where one has changed it.
    """
    name = plan.desired.pair.name
    refuse_leaving(seen.reservation, name, ctx)
    ledger = Ledger(seen.reservation, seen.group, plan.desired.floating.there)
    try:
        forget_leaving(seen.reservation, ctx)
        for changes in in_batches(plan.changes):
            for_each(changes, lambda change: _make(change, plan, seen, ledger, ctx))
        if plan:
            with ctx.progress.step("see that nobody has interfered"):
                look_again(plan, ledger, ctx)
    except RewrittenError as rewritten:
        rewritten.undos = tuple(ledger.undos)
        raise
    except (Exception, KeyboardInterrupt) as error:  # a bug of haos's, too, leaves nothing half done
        expected = isinstance(error, HaosError) and not isinstance(error, LostRaceError)
        known = ledger.reservation.id if expected and ledger.reservation else None
        if known and (torn := torn_down(plan.desired.pair, known, error, ctx)):
            raise_after_undo(torn, sweeping(plan.desired, ledger, ctx), plan.desired.nodes, ctx, hint=hint)
        if keep and ledger.undos and expected:
            raise kept(error, ledger.undos, "as you asked") from error
        if completes:
            if ledger.undos and expected:
                raise kept(error, ledger.undos, "since the record says it") from error
            raise
        raise_after_undo(error, ledger.undos, plan.desired.nodes, ctx, hint=hint)
    return ledger


def kept(error: BaseException, undos: Iterable[Undo], why: str, *, hint: str = CREATE_HINT) -> LeftoverError:
    """Build the error of a run that leaves what it had done."""
    listed = "; ".join(describe_undo(undo) for undo in undos)
    return LeftoverError(f"{error}. Kept, {why}: {listed}", hint=hint)


def in_batches(changes: Iterable[Change]) -> Iterator[Sequence[Change]]:
    """Yield changes that may be made side by side."""
    for _, group in groupby(changes, key=lambda change: (type(change), _stands_alone(change))):
        batch = list(group)
        if _stands_alone(batch[0]):
            yield from ([change] for change in batch)
        else:
            yield batch


def _stands_alone(change: Change) -> bool:
    if isinstance(change, Configure):
        return change.previous is not None  # a wrong file is to be found before the Active's is replaced
    return not isinstance(change, AdmitVip | DismissVip | InstallKeepalived)


def _make(change: Change, plan: Plan, seen: Seen, ledger: Ledger, ctx: Context) -> None:
    match change:
        case ReserveVip():
            _reserve(change, ledger, ctx)
        case AdoptPort():
            _adopt(change, ledger, ctx)
        case UpdateRecord():
            _update_record(change, ledger, ctx)
        case MakeGroup():
            _make_group(change, plan, ledger, ctx)
        case MendGroup():
            _mend_group(change, ledger, ctx)
        case MakeFloatingIp() | TakeFloatingIp():
            _lead_to_vip(change, ledger, ctx)
        case AdmitVip() | DismissVip():
            _amend(change, _node(change.node, plan), ledger, ctx)
        case LeavePair():
            _leave(change, _node(change.node, plan), ledger, ctx)
        case InstallKeepalived() | RemovePair() | Configure() | Activate():
            _on_node(change, _node(change.node, plan), plan.desired.pair, seen, ledger, ctx)


def _node(name: str, plan: Plan) -> Node:
    return next(node for node in plan.desired.nodes if node.name == name)


def _on_node(
    change: InstallKeepalived | RemovePair | Configure | Activate,
    node: Node,
    pair: Pair,
    seen: Seen,
    ledger: Ledger,
    ctx: Context,
) -> None:
    # A pair that lay on the node before this run is not this run's to take away.
    fresh = pair.name not in seen.facts[node.name].pair_files
    match change:
        case InstallKeepalived():
            _told(ctx, f"install keepalived on {node.name}", lambda: _install(node, pair, fresh, ledger, ctx))
        case RemovePair():
            _told(ctx, f"take the pair off {node.name}", lambda: _remove(change.previous, node, ledger, ctx))
        case Configure():
            _told(ctx, f"configure {node.name}", lambda: _configure(change, node, fresh, ledger, ctx))
        case Activate():
            _told(ctx, f"start keepalived on {node.name}", ctx.fleet.node(node.instance).activate)


def _told(ctx: Context, title: str, work: Callable[[], object]) -> None:
    with ctx.progress.step(title):
        work()


def _reserve(change: ReserveVip, ledger: Ledger, ctx: Context) -> None:
    wanted = change.reservation
    with ctx.progress.step(f"reserve {wanted.address} with VRID {change.vrid}"):
        try:
            port = ctx.cloud.reserve(wanted)
        except UncertainError:
            ledger.note(DeleteReservation(wanted))
            raise
        ledger.reservation = port
        ledger.note(DeletePort(port.id))
        if gives_way_to(port.id, lambda: rival_reservations(port, ctx.cloud), ctx) is not None:
            raise LostRaceError(f"{wanted.device_id} was made by somebody else at the same time")


def _adopt(change: AdoptPort, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step(f"adopt port {change.port.id} with VRID {change.vrid}"):
        try:
            port = ctx.cloud.adopt(change.port, device_id=change.device_id, description=change.description)
        except UncertainError:
            ledger.note(ReleasePort(change.port.id, change.description))
            raise
        ledger.reservation = port
        # Not before: an adoption that was refused, since somebody was faster, must not be taken back from him.
        ledger.note(ReleasePort(change.port.id))


def _update_record(change: UpdateRecord, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step("write the record"):
        ledger.note(RewriteRecord(change.port.id, change.port.description, change.description))
        ledger.reservation = ctx.cloud.describe(change.port, change.description)


def _make_group(change: MakeGroup, plan: Plan, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step(f"make security group {change.name}"):
        assert ledger.reservation is not None, "a group is made for a reservation"
        try:
            ledger.group = ctx.cloud.make_group(change.name, group_mark(ledger.reservation.id), change.rules)
        except (UncertainError, LeftoverError):
            ledger.note(DeleteMarkedGroups(plan.desired.pair.name, ledger.reservation.id))
            raise
        ledger.note(DeleteGroup(ledger.group.id))
        if ledger.reserved:
            return  # who goes on with this reservation looks out for the group, and the last look for him
        other = gives_way_to(ledger.group.id, lambda: rival_groups(ledger, plan.desired, ctx.cloud), ctx)
        if other is not None:
            ctx.cloud.delete_group(ledger.group.id)
            ledger.forget(DeleteGroup(ledger.group.id))
            ledger.group = other


def _mend_group(change: MendGroup, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step(f"mend security group {change.group.name}"):
        ledger.note(RestoreRules(change.group))
        ledger.group = ctx.cloud.set_rules(ledger.group or change.group, change.rules)


def _lead_to_vip(change: MakeFloatingIp | TakeFloatingIp, ledger: Ledger, ctx: Context) -> None:
    assert ledger.reservation is not None, "a floating IP leads to a reservation"
    port_id = ledger.reservation.id
    match change:
        case MakeFloatingIp(network_id, network, vip):
            with ctx.progress.step(f"make a floating IP on {network}"):
                ledger.note(DeleteFloatingIp(port_id))
                ledger.floating = ctx.cloud.make_floating_ip(network_id, port_id, vip, floating_mark(port_id))
        case TakeFloatingIp(floating, vip):
            with ctx.progress.step(f"associate floating IP {floating.address}"):
                ledger.note(ReleaseFloatingIp(replace(floating, port_id=port_id)))
                ledger.floating = ctx.cloud.take_floating_ip(floating, port_id, vip)


def _amend(change: AdmitVip | DismissVip, node: Node, ledger: Ledger, ctx: Context) -> None:
    amendment = amendment_of(change, ledger)
    match change:
        case AdmitVip():
            title = f"let {change.node}'s port speak for the VIP"
        case DismissVip():
            title = f"take what is no longer needed off {change.node}'s port"
    with ctx.progress.step(title):
        ledger.note(AmendPort(node.name, change.port_id, amendment.reversed()))
        ctx.cloud.amend_port(node.port, amendment)


def _install(node: Node, pair: Pair, fresh: bool, ledger: Ledger, ctx: Context) -> None:
    if fresh:
        ledger.note(CleanNode(node.name, Removal(pair.name, pair.vip, None, purge_package=True)))
    telling_who_holds_it_up(node, ctx.fleet.node(node.instance).install_keepalived, ctx)


def _remove(previous: NodeConfig, node: Node, ledger: Ledger, ctx: Context) -> None:
    removal = Removal(previous.pair, previous.vip, previous.interface, returning=True)
    ledger.note(RestoreNode(node.name, removal, previous, afresh=True))
    ctx.fleet.node(node.instance).remove(removal)


def _leave(change: LeavePair, node: Node, ledger: Ledger, ctx: Context) -> None:
    with ctx.progress.step(f"take the pair off {node.name}"):
        if change.previous is not None:
            back = RestoreNode(node.name, change.removal, change.previous, install=change.packaged, start=change.runs)
            ledger.note(back)
        clean(ctx.fleet.node(node.instance), change.removal)


def _configure(change: Configure, node: Node, fresh: bool, ledger: Ledger, ctx: Context) -> None:
    config = change.config
    removal = Removal(config.pair, config.vip, config.interface)
    undo: CleanNode | RestoreNode = CleanNode(node.name, removal)
    if change.previous is not None:
        undo = RestoreNode(node.name, removal, change.previous)
    if fresh or change.previous is not None:
        ledger.note(undo)
    if not ctx.fleet.node(node.instance).configure(config):
        ledger.forget(undo)  # somebody else has put the same files there meanwhile

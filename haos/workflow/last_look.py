"""After all changes: see that the pair stands as it was made, whoever else was at work on it at the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from haos.core import names, record
from haos.core.changes import (
    AdmitVip,
    AmendPort,
    CleanNode,
    DeleteFloatingIp,
    DeleteGroup,
    DeletePort,
    DismissVip,
    PortAmendment,
    ReleaseFloatingIp,
    ReleasePort,
    Undo,
)
from haos.core.leaving import is_leaving
from haos.core.model import Added, Pair, Port, SecurityGroup
from haos.core.node import Removal
from haos.core.plan import Desired, Plan, added_pairs
from haos.errors import HaosError, NotFoundError, RecordError
from haos.workflow.context import Cloud, Context
from haos.workflow.ledger import Ledger
from haos.workflow.recheck import RewrittenError, TornDownError, see_written
from haos.workflow.rivals import gives_way_to


def look_again(plan: Plan, ledger: Ledger, ctx: Context) -> None:
    """See that reservation, record and ports are as this run has left them (1 request, if nobody interfered).

    What others have overwritten on the ports is written once more. Raises TornDownError where the pair is being taken
    away, RewrittenError where somebody has changed its record.
    """
    assert ledger.reservation is not None, "every plan ends with a reservation"
    reservation_id = ledger.reservation.id

    known = _records(ledger.reservation)

    def check(now: Port | None) -> None:
        if now is None or is_leaving(now):
            raise _torn_down(plan.desired.pair)
        if now.description not in known:
            raise RewrittenError(
                f"pair {plan.desired.pair.name} was changed by another run meanwhile",
                hint="run the same command again",
            )

    there = see_written(_written(plan, ledger), reservation_id, ctx, check=check)
    if ledger.made_group and _see_one_group(plan.desired, there, ledger, ctx):
        see_written(_written(plan, ledger), reservation_id, ctx, check=check)


def _records(reservation: Port) -> set[str]:
    """Return the record that this run left, and what it is once another run has proven the pair."""
    try:
        proven = record.encode(replace(record.decode(reservation), verified=True))
    except RecordError:
        return {reservation.description}
    return {reservation.description, proven}


def _torn_down(pair: Pair) -> TornDownError:
    return TornDownError(
        f"pair {pair.name} was taken away by another run meanwhile",
        hint="run the same command again: it makes it anew",
    )


def torn_down(pair: Pair, reservation_id: str, error: BaseException | None, ctx: Context) -> TornDownError | None:
    """Return what explains an error: that another run takes the pair away; None where it does not (1 request)."""
    if isinstance(error, TornDownError):
        return error
    try:
        return _torn_down(pair) if is_leaving(ctx.cloud.port(reservation_id)) else None
    except NotFoundError:
        return _torn_down(pair)
    except HaosError:
        return None


def _written(plan: Plan, ledger: Ledger) -> dict[str, PortAmendment]:
    """Return what the plan has written on which port."""
    wanted: dict[str, PortAmendment] = {}
    for change in plan.changes:
        if isinstance(change, AdmitVip | DismissVip):
            before, more = wanted.get(change.port_id, PortAmendment()), amendment_of(change, ledger)
            wanted[change.port_id] = PortAmendment(
                before.add_pairs + more.add_pairs,
                before.remove_pairs + more.remove_pairs,
                before.add_groups + more.add_groups,
                before.remove_groups + more.remove_groups,
            )
    return wanted


def amendment_of(change: AdmitVip | DismissVip, ledger: Ledger) -> PortAmendment:
    """Return what a change does to its port."""
    match change:
        case AdmitVip(_, _, pairs, group):
            return PortAmendment(add_pairs=pairs, add_groups=(ledger.group.id,) if group and ledger.group else ())
        case DismissVip(_, _, pairs, groups):
            return PortAmendment(remove_pairs=pairs, remove_groups=groups)


def rival_reservations(port: Port, cloud: Cloud) -> dict[str, Port]:
    """List what others have reserved for the same name, beside this run's port (1 request)."""

    def place(one: Port) -> tuple[object, ...]:
        return one.device_id, one.network_id, one.project_id

    return {one.id: one for one in cloud.reservations() if one.id != port.id and place(one) == place(port)}


def rival_groups(ledger: Ledger, desired: Desired, cloud: Cloud) -> dict[str, SecurityGroup]:
    """List what others have made as the pair's own group, beside this run's (1 request)."""
    assert ledger.reservation is not None, "a group is made for a reservation"
    own = ledger.group.id if ledger.group else None
    return {one.id: one for one in marked_groups(desired.pair.name, ledger.reservation.id, cloud) if one.id != own}


def marked_groups(name: str, reservation_id: str, cloud: Cloud) -> tuple[SecurityGroup, ...]:
    """List the groups of a pair: the name is not enough, they must be marked with its reservation (1 request)."""
    mark = names.group_mark(reservation_id)
    return tuple(group for group in cloud.groups_named(names.group_name(name)) if group.description == mark)


def _see_one_group(desired: Desired, there: Mapping[str, Port], ledger: Ledger, ctx: Context) -> bool:
    """Let one group be left where two runs have each made one; return whether the ports were given another.

    Whoever has made the reservation need not ask, unless a strange group is on a port: any other run does.
    """
    before = {group_id for node in desired.nodes for group_id in node.port.group_ids}
    strange = any(set(port.group_ids) - before - {ledger.group and ledger.group.id} for port in there.values())
    if ledger.reserved and not strange:
        return False
    own = ledger.group
    assert own is not None, "asked only of a run that has made a group"
    other = gives_way_to(own.id, lambda: rival_groups(ledger, desired, ctx.cloud), ctx)
    if other is None:
        return False
    with ctx.progress.step(f"use the security group {other.id} that another run has made"):
        ledger.group = other
        for port in there.values():
            if own.id in port.group_ids:
                ctx.cloud.amend_port(port, PortAmendment(add_groups=(other.id,), remove_groups=(own.id,)))
        ctx.cloud.delete_group(own.id)
        ledger.forget(DeleteGroup(own.id))
    return True


def sweeping(desired: Desired, ledger: Ledger, ctx: Context) -> Sequence[Undo]:
    """Return what takes a pair away that another run takes away too: all of it, whoever made which part.

    What this run found there is no better than what it made: the other may have taken it already, or not yet.
    """
    pair = desired.pair
    assert ledger.reservation is not None, "what was torn down had a reservation"
    kept = [undo for undo in ledger.undos if isinstance(undo, DeletePort | ReleasePort)]
    floating = [undo for undo in ledger.undos if isinstance(undo, DeleteFloatingIp | ReleaseFloatingIp)]
    own = {ledger.group.id} if ledger.group and ledger.made_group else set()
    group_ids = tuple({group.id for group in marked_groups(pair.name, ledger.reservation.id, ctx.cloud)} | own)
    members = {member.port_id: member.added for member in pair.members}
    ports = [
        AmendPort(
            node.name,
            node.port.id,
            PortAmendment(
                remove_pairs=added_pairs(node.port, pair, members.get(node.port.id, Added.NOTHING)),
                remove_groups=group_ids,
            ),
        )
        for node in desired.nodes
    ]
    nodes = [CleanNode(node.name, _removal(node.name, desired, ledger)) for node in desired.nodes]
    return [*kept, *floating, *map(DeleteGroup, group_ids), *ports, *nodes]


def _removal(node: str, desired: Desired, ledger: Ledger) -> Removal:
    installed = any(
        isinstance(undo, CleanNode) and undo.node == node and undo.removal.purge_package for undo in ledger.undos
    )
    return Removal(desired.pair.name, desired.pair.vip, None, purge_package=installed)

"""Undo what a run has done, in reverse; what cannot be undone is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from haos.core.changes import (
    AmendPort,
    CleanNode,
    DeleteFloatingIp,
    DeleteGroup,
    DeleteMarkedGroups,
    DeletePort,
    DeleteReservation,
    PortAmendment,
    ReleaseFloatingIp,
    ReleasePort,
    RestoreNode,
    RestoreRules,
    RewriteRecord,
    Undo,
    Unweigh,
    describe_undo,
)
from haos.core.floating import leading_to, made_for
from haos.core.leaving import leaving_tags
from haos.core.model import Node, Port
from haos.core.node import Removal
from haos.core.record import names_more
from haos.errors import HaosError, LeftoverError, NotFoundError, StepError
from haos.workflow.context import Cloud, Context, NodeAgent, Reservation
from haos.workflow.last_look import marked_groups
from haos.workflow.leaving import Mark

CREATE_HINT = "the same haos create goes on from here; haos teardown takes it all away"


def raise_after_undo(
    error: BaseException, undos: Sequence[Undo], nodes: Sequence[Node], ctx: Context, *, hint: str = CREATE_HINT
) -> NoReturn:
    """Undo all of it, then raise the error; or LeftoverError if something could not be undone."""
    left = undo_all(undos, nodes, ctx)
    if left:
        reason = str(error) or "interrupted"
        listed = "; ".join(left)
        raise LeftoverError(f"{reason}. Not undone: {listed}", hint=hint) from error
    raise error


def undo_all(undos: Sequence[Undo], nodes: Sequence[Node], ctx: Context) -> list[str]:
    """Undo in reverse; return what could not be undone.

    As long as anything is left, the reservation stays, and the record of it too. A reservation that goes is marked
    before anything is undone: whoever goes on with the pair at the same moment has to stop.
    """
    left: list[str] = []
    own = [undo.port_id for undo in undos if isinstance(undo, DeletePort | ReleasePort) and len(undos) > 1]
    with _marked(own, left, ctx) as marks:
        for undo in reversed(undos):
            what = describe_undo(undo)
            if left and _tells_of_the_rest(undo):
                left.append(f"{what} (kept, so that haos teardown finds the rest)")
                continue
            try:
                with ctx.progress.step(f"undo: {what}"):
                    _undo_marked(undo, {node.name: node for node in nodes}, marks, ctx)
            except HaosError as error:
                left.append(f"{what} ({error})")
    return left


def _tells_of_the_rest(undo: Undo) -> bool:
    """Say whether an undo would take away what haos teardown finds the rest by."""
    match undo:
        case DeletePort() | DeleteReservation() | ReleasePort():
            return True
        case RewriteRecord(_, description, written):
            return names_more(written, description)
    return False


@contextmanager
def _marked(reservations: Sequence[str], left: Sequence[str], ctx: Context) -> Iterator[Sequence[Mark]]:
    """Mark reservations as going while it lasts; what stays because something is left is not going any more."""
    marks = [Mark(port_id, ctx) for port_id in reservations]
    yield marks
    for mark in marks:
        if left:
            mark.take_back()


def _undo_marked(undo: Undo, nodes: dict[str, Node], marks: Sequence[Mark], ctx: Context) -> None:
    """Undo one thing, and keep the marks young as long as it takes. Raises CloudError where one was taken away."""
    for mark in marks:
        mark.renew()
    if not (marks and isinstance(undo, CleanNode | RestoreNode)):
        _undo(undo, nodes, ctx)
        return
    _, errors = marks[0].attempt_each([undo], lambda one: _undo(one, nodes, ctx))
    for error in errors.values():
        raise error


def _undo(undo: Undo, nodes: dict[str, Node], ctx: Context) -> None:
    match undo:
        case DeletePort(port_id):
            ctx.cloud.delete_port(port_id)
        case DeleteReservation(reservation):
            for port in ctx.cloud.reservations():
                if is_made(reservation, port):
                    ctx.cloud.delete_port(port.id)
        case ReleasePort(port_id, description):
            if not description or ctx.cloud.port(port_id).description == description:
                give_back(port_id, ctx.cloud)
        case RewriteRecord(port_id, description, written):
            rewrite_record(port_id, written, description, ctx)
        case RestoreRules(group):
            for now in ctx.cloud.groups([group.id]):  # as it is by now, whatever of the change has been done
                ctx.cloud.set_rules(now, group.rules)
        case DeleteGroup(group_id):
            ctx.cloud.delete_group(group_id)
        case DeleteMarkedGroups(pair, reservation_id):
            for group in marked_groups(pair, reservation_id, ctx.cloud):
                ctx.cloud.delete_group(group.id)
        case AmendPort(node, _, amendment):
            withdraw_from_port(ctx.cloud, nodes[node].port, amendment)
        case DeleteFloatingIp(reservation_id):
            for ip in made_for(reservation_id, leading_to(reservation_id, ctx.cloud.floating_ips(needed=True))):
                ctx.cloud.delete_floating_ip(ip.id)
        case ReleaseFloatingIp(floating):
            ctx.cloud.release_floating_ip(floating)
        case CleanNode(node, removal):
            clean(ctx.fleet.node(nodes[node].instance), removal)
        case RestoreNode(node, removal, config, afresh, install, start):
            agent = ctx.fleet.node(nodes[node].instance)
            if afresh:
                clean(agent, removal)
            if install:
                agent.install_keepalived()
            agent.configure(config)
            if start:
                agent.activate()
        case Unweigh(node, pair, weight):
            ctx.fleet.node(nodes[node].instance).weigh(pair, weight)


def is_made(reservation: Reservation, port: Port) -> bool:
    """Say whether a port is what was asked for."""
    addresses = [fixed.address for fixed in port.fixed_ips]
    marks = (port.device_id, port.description, port.network_id)
    return reservation.address in addresses and marks == (
        reservation.device_id,
        reservation.description,
        reservation.network_id,
    )


def rewrite_record(port_id: str, before: str, after: str, ctx: Context) -> bool:
    """Write a record over the one that this run knows; return False where somebody else's stands there by now.

    By what it says, not by the revision seen earlier: OVN moves the VIP's port, and its revision, at every failover.
    """
    port = ctx.cloud.port(port_id)
    if port.description == after:
        return True
    if port.description != before:
        return False
    ctx.cloud.describe(port, after)
    return True


def give_back(port_id: str, cloud: Cloud) -> None:
    """Take haos's claim off a port that was adopted, the marks of runs that took it away first."""
    with suppress(NotFoundError):
        for tag in leaving_tags(cloud.port(port_id)):
            cloud.remove_tag(port_id, tag)
    cloud.release_adopted(port_id)


def clean(agent: NodeAgent, removal: Removal) -> None:
    """Take a pair off a node. Raises StepError if something could not be taken away."""
    removed = agent.remove(removal)
    if removed.left:
        raise StepError("; ".join(removed.left))


def withdraw_from_port(cloud: Cloud, port: Port, amendment: PortAmendment) -> None:
    """Take pairs and groups off a port as it is now; a port that is gone carries nothing."""
    try:
        cloud.amend_port(cloud.port(port.id), amendment)
    except NotFoundError:
        return

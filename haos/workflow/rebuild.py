"""`haos repair --rebuild-record`: write a pair's record anew, from the nodes that the user names and from the cloud.

The record, or the port that carries it, is written first; what is marked with its id in the cloud follows. Killed
anywhere, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haos.core import names
from haos.core.changes import AdoptPort, ReserveVip, UpdateRecord
from haos.core.model import FloatingIp, Instance, Node, Pair, Port
from haos.core.names import floating_mark, group_mark
from haos.core.rebuild import Witnesses
from haos.core.rebuild_cloud import MarkFloatingIp, MarkGroup, RebuildChange, rebuilt
from haos.core.rebuild_cloud import RebuiltRecord as RebuiltRecord
from haos.core.rebuild_marks import id_in
from haos.errors import AddressTakenError, Interrupted, MacTakenError, UnsatisfiableError, UsageError
from haos.workflow.context import Context
from haos.workflow.parallel import attempt_each
from haos.workflow.request import MAX_NODES
from haos.workflow.resolve import the_one


def plan_record(
    name: str | None, network_ref: str, node_refs: Sequence[str], ctx: Context, *, as_on: str | None = None
) -> RebuiltRecord:
    """Look at the named nodes and the cloud, and decide what the record shall say; changes nothing.

    `as_on` is the node whose word counts where they differ. Raises UsageError, NotFoundError, AmbiguousError,
    UnsatisfiableError, and RemoteError where no node that could say something answers.
    """
    _check(name, node_refs)
    with ctx.progress.step("look at the cloud"):
        seen = _look_at_cloud(name, network_ref, node_refs, ctx)
    with ctx.progress.step("look at the nodes"):
        facts, errors = attempt_each(seen.nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    seen = replace(seen, as_on=as_on, facts={node.name: each for node, each in facts.items()})
    if not seen.words:
        for error in errors.values():
            raise error
    planned = rebuilt(_by_their_ports(seen))
    silent = tuple(f"{node.name} could not be looked at: {error}" for node, error in errors.items())
    return replace(planned, notes=(*silent, *planned.notes))


def _check(name: str | None, node_refs: Sequence[str]) -> None:
    if name is not None:
        names.check_name(name)
    if not 1 <= len(node_refs) <= MAX_NODES:
        raise UsageError(
            f"--nodes names {len(node_refs)} instances; a pair has 2 to {MAX_NODES}",
            hint="name all of its nodes that are there: --nodes A,B",
        )


def _look_at_cloud(name: str | None, network_ref: str, node_refs: Sequence[str], ctx: Context) -> Witnesses:
    cloud = ctx.cloud
    network = cloud.networks([network_ref])[network_ref]
    subnets, ports = cloud.subnets(network.id), cloud.ports(network.id)
    found = cloud.instances(node_refs)
    instances = [the_one(ref, found[ref]) for ref in node_refs]
    if len({instance.id for instance in instances}) < len(instances):
        raise UsageError("the same instance is named twice in --nodes", hint="name each of the nodes once")
    name = name or names.default_name(instance.name for instance in instances)
    nodes = tuple(_node(instance, ports, network.name, cloud.project_id()) for instance in instances)
    if len({node.name for node in nodes}) < len(nodes):
        raise UnsatisfiableError("two of --nodes have the same name", hint="openstack server set --name …")
    groups = cloud.groups_named(names.group_name(name))
    floating: tuple[FloatingIp, ...] = ()
    if any(subnet.cidr.version == 4 for subnet in subnets):
        floating = cloud.floating_ips()
    descriptions = [*(group.description for group in groups), *(ip.description for ip in floating)]
    marked = sorted({key for one in descriptions if (key := id_in(one))})
    alive = frozenset(cloud.ports_by_id(marked)) if marked else frozenset()
    return Witnesses(name, network, cloud.project_id(), nodes, {}, ports, subnets, groups, floating, alive)


def _node(instance: Instance, ports: Sequence[Port], network: str, project_id: str) -> Node:
    """Return an instance at any port of its own on the network; only the nodes' files say at which."""
    for port in ports:
        if port.device_id == instance.id and port.fixed_ips and port.project_id == project_id:
            if instance.project_id not in ("", project_id):
                break
            return Node(instance, port, port.fixed_ips[0].address)
    raise UnsatisfiableError(
        f"instance {instance.name} has no port of this project's on network {network}",
        hint=f"openstack port list --server {instance.id}",
    )


def _by_their_ports(seen: Witnesses) -> Witnesses:
    """Return it with each node at that of its ports which the files name."""
    said = {member.port_id for word in seen.words.values() for member in word.said.members}
    at = {port.device_id: port for port in seen.ports if port.id in said and port.fixed_ips}

    def placed(node: Node) -> Node:
        port = at.get(node.instance.id)
        own = port is not None and port.project_id == seen.project_id
        return Node(node.instance, port, port.fixed_ips[0].address) if port is not None and own else node

    return replace(seen, nodes=tuple(placed(node) for node in seen.nodes))


def rebuild(planned: RebuiltRecord, ctx: Context) -> Pair:
    """Write it. What was written stays, whatever comes after it: the same command goes on. Raises CloudError."""
    pair = planned.pair
    try:
        for change in planned.changes:
            pair = _make(change, pair, ctx)
    except KeyboardInterrupt:
        raise Interrupted("interrupted", hint="the same command goes on from here") from None
    return pair


def _make(change: RebuildChange, pair: Pair, ctx: Context) -> Pair:
    match change:
        case ReserveVip():
            with ctx.progress.step(f"reserve {pair.vip} with VRID {pair.vrid}"):
                return replace(pair, reservation_id=_reserve(change, ctx).id)
        case AdoptPort(port):
            with ctx.progress.step(f"mark port {port.id} as the reservation of {pair.name}"):
                ctx.cloud.adopt(port, device_id=change.device_id, description=change.description)
        case UpdateRecord(port, description):
            with ctx.progress.step("write the record"):
                ctx.cloud.describe(port, description)
        case MarkGroup(group):
            with ctx.progress.step(f"mark security group {group.name}"):
                ctx.cloud.mark_group(group, group_mark(pair.reservation_id))
        case MarkFloatingIp(floating):
            with ctx.progress.step(f"mark floating IP {floating.address}"):
                marked = ctx.cloud.mark_floating_ip(floating, floating_mark(pair.reservation_id))
            if marked.port_id is None:
                with ctx.progress.step(f"associate floating IP {floating.address}"):
                    ctx.cloud.take_floating_ip(marked, pair.reservation_id, pair.vip)
    return pair


def _reserve(change: ReserveVip, ctx: Context) -> Port:
    try:
        return ctx.cloud.reserve(change.reservation)
    except (AddressTakenError, MacTakenError) as error:
        raise UnsatisfiableError(
            f"somebody was faster: {error}", hint="run the same command again: it says who has the address"
        ) from error

"""Who goes and who comes, as found in cloud and nodes: what an exchange is decided from. Changes nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from haos.core.model import Instance, Member, Node, Pair, Port, Role, ServiceCheck
from haos.core.node import NodeFacts
from haos.core.nodeconf import kept_checks, mode_on
from haos.core.replace import (
    Departing,
    Exchange,
    Way,
    called,
    choose_way,
    find_member,
    goes_on,
    in_place,
    is_of,
    refuse_newcomer,
    short,
    under_way,
    unsaid,
    with_both,
)
from haos.core.security import lets_pass
from haos.core.service import is_command
from haos.core.witness import justified, names_on
from haos.errors import NotFoundError, RemoteError, UnsatisfiableError, UsageError
from haos.workflow.context import Context
from haos.workflow.decide import will_add
from haos.workflow.intent import names_of
from haos.workflow.parallel import attempt_each
from haos.workflow.preflight import Preflight, look_at_nodes, others
from haos.workflow.request import MAX_NODES, CreateRequest
from haos.workflow.resolve import OBSERVER
from haos.workflow.settle import sights_of
from haos.workflow.trust import contradicted, refuse_unconfirmed


@dataclass(frozen=True)
class ReplaceRequest:
    """What the user asked for."""

    old: str  # a node's name, its instance's id, or its port's id
    new: str
    pair: str | None = None
    observer: str | None = None
    watched: bool = True  # False: the user does not want an observer
    verify: bool = True
    force: bool = False
    purge: bool = False
    checks: tuple[ServiceCheck, ...] | None = None  # said again; None: as the nodes keep them


def leaving_member(
    request: ReplaceRequest, pair: Pair, found: Mapping[str, Node], ports: Sequence[Port], new: Instance
) -> Member | None:
    """Return the member that leaves; None where the exchange got so far that it has left the record already.

    Raises NotFoundError, UsageError or UnsatisfiableError.
    """
    old = find_member(request.old, pair, found, ports)
    joined = next((one for one in pair.members if one.port_id in found and found[one.port_id].instance == new), None)
    begun = under_way(pair)
    if old is None and joined is None:
        raise NotFoundError(
            f"{request.old!r} is no node of pair {pair.name}", hint=f"its nodes are {called(pair, found)}"
        )
    if old is not None and old == joined:
        raise UsageError(f"{new.name} cannot replace itself", hint="a node that lost something: haos repair")
    if begun is not None and {old, joined} != set(begun):
        said, command = goes_on(pair, names_of(found)) or ("", "")
        raise UnsatisfiableError(f"{said}: that is to be finished first", hint=command)
    if begun is None and old is not None and joined is not None:
        raise UnsatisfiableError(
            f"{new.name} is a node of pair {pair.name} already", hint="name another instance with --new"
        )
    return old


def refuse_watcher(request: ReplaceRequest, new: Instance, found: Mapping[str, Node], leaving: Member | None) -> None:
    """Refuse to make a node of who is to watch it. Raises UnsatisfiableError or UsageError."""
    if leaving is not None and leaving.port_id in found and request.observer is not None:
        going = found[leaving.port_id].instance
        if request.observer in (going.id, going.name):
            raise UsageError(f"{going.name} cannot watch the pair that it leaves", hint="name another --observer")
    watches = new.name == OBSERVER or OBSERVER in new.tags
    if watches and request.observer is None and request.watched:
        raise UnsatisfiableError(
            f"{new.name} is the observer: it cannot watch a pair that it is a node of",
            hint="name another --observer, or say --no-observer",
        )


def wanted_pair(
    request: ReplaceRequest, pair: Pair, found: Mapping[str, Node], leaving: Member | None, new: Instance
) -> CreateRequest:
    """Return the request for the pair as it shall be, of those nodes that are there."""
    ids = [
        new.id if member == leaving else found[member.port_id].instance.id
        for member in pair.members
        if member == leaving or (member.port_id in found and found[member.port_id].instance != new)
    ]
    if new.id not in ids:  # it has its place already
        ids = [found[member.port_id].instance.id for member in pair.members if member.port_id in found]
    if len(ids) < 2:
        raise UnsatisfiableError(
            f"no other node of pair {pair.name} is there: there is nothing left to join",
            hint=f"haos teardown {pair.name} --force; then create it anew",
        )
    return CreateRequest(
        pair.network_id,
        tuple(ids),
        pair.name,
        observer=request.observer,
        verify=request.verify,
        watched=request.watched,
    )


def departing_node(leaving: Member | None, found: Mapping[str, Node], ports: Sequence[Port]) -> Departing | None:
    if leaving is None:
        return None
    if leaving.port_id in found:
        return Departing(leaving, found[leaving.port_id])
    port = next((port for port in ports if port.id == leaving.port_id), None)
    if port is None or not port.fixed_ips:
        return Departing(leaving, None)
    # Its instance is gone: what haos put on the port is taken off all the same.
    gone = Instance(port.device_id, short(port.id), "gone", port.project_id)
    return Departing(leaving, Node(gone, port, port.fixed_ips[0].address))


def look(
    seen: Preflight, wanted: CreateRequest, old: Departing | None, pair: Pair, ctx: Context
) -> tuple[Preflight, Departing | None]:
    """Look at the nodes of the pair as it shall be, and at the one that goes, side by side."""
    looked: list[Preflight] = []
    departing = [old]

    def look_at(at: str) -> None:
        if at == "those who stay":
            looked.append(look_at_nodes(seen, wanted, ctx))
        elif old is not None and old.node is not None and old.node.instance.status != "gone":
            departing[0] = _look_at_departing(old, old.node, pair, ctx)

    _, failed = attempt_each(("those who stay", "who goes"), look_at)
    for error in failed.values():
        raise error
    return looked[0], departing[0]


def _look_at_departing(old: Departing, node: Node, pair: Pair, ctx: Context) -> Departing:
    try:
        agent = ctx.fleet.node(node.instance)
        facts = agent.facts(node.port.mac)
        sight = agent.sight(pair.name, pair.vip)
    except RemoteError as error:
        return replace(old, silent=str(error) if node.name in str(error) else f"{node.name}: {error}")
    return replace(old, node=replace(node, interface=facts.interface), facts=facts, sight=sight)


def refuse_departing(old: Departing, pair: Pair, request: ReplaceRequest) -> None:
    """Refuse to pass over a node that may be alive. Raises RemoteError or UnsatisfiableError."""
    if old.silent is not None and old.node is not None and not request.force:
        reason = f"{old.silent}; a keepalived there could still claim {pair.vip}"
        hint = "let it answer, or delete it; or --force leaves what is on it, and lists it"
        if old.node.instance.status != "ACTIVE":
            raise UnsatisfiableError(reason, hint=hint)
        raise RemoteError(reason, hint=hint)
    if old.facts is not None and old.facts.tested:
        raise UnsatisfiableError(
            f"a failover-test is at work on {old.name}, or died",
            hint=f"wait for its end; if it died: haos failover-test --restore {pair.name}",
        )


def decided(
    pair: Pair,
    reservation: Port,
    seen: Preflight,
    old: Departing | None,
    new: Instance,
    request: ReplaceRequest,
    ctx: Context,
) -> Exchange:
    nodes = seen.place.nodes
    comes = next(node for node in nodes if node.instance.id == new.id)
    facts = _facts(pair, nodes, comes, old, seen.facts)
    names = names_on((*nodes, *([old.node] if old and old.node else [])))
    _refuse_doubtful(
        pair, nodes, facts, names, seen.place.ports, {comes.port.id, *_ports_meant(request, old, seen, ctx)}
    )
    pair = justified(pair, facts, names)
    pair = replace(pair, checks=_checks(pair, comes, old, facts, request))
    way, why = Way.MEND, ""
    begun = under_way(pair) is not None
    if old is not None:
        way, why = choose_way(pair, old, both=begun, room=len(pair.members) < MAX_NODES)
    everyone = (*nodes, *([old.node] if old and old.node and way is Way.BESIDE else []))
    grouped = pair.has_group or _needs_group(pair, everyone, seen, ctx)
    there = {node.port.id: node for node in everyone}

    def flagged(wanted: Pair) -> Pair:
        members = (
            replace(member, added=member.added | will_add(node, wanted, facts[node.name], needs_group=grouped))
            if (node := there.get(member.port_id)) is not None
            else member
            for member in wanted.members
        )
        return replace(wanted, members=tuple(members))

    between, after = None, flagged(pair)
    if old is not None:
        member = next((one for one in pair.members if one.port_id == comes.port.id), None)
        member = member or Member(comes.port.id, old.member.priority)
        if way is Way.BESIDE:
            between = flagged(replace(pair, verified=False) if begun else with_both(pair, old.member, member))
        after = flagged(in_place(pair, old.member, member))
    return Exchange(
        pair=pair, after=after, between=between, old=old, new=comes, nodes=nodes, facts=facts,
        network=seen.place.network, subnet=seen.place.subnet, reservation=reservation, group=seen.own_group,
        way=way, why=why, active=_active(pair, everyone, facts, ctx), purge=request.purge,
    )  # fmt: skip


def _ports_meant(request: ReplaceRequest, old: Departing | None, seen: Preflight, ctx: Context) -> set[str]:
    """Return the ports that the user may mean by the old node."""
    if old is not None:
        return {old.member.port_id}
    ids = {instance.id for instance in ctx.cloud.instances([request.old])[request.old]}
    return {port.id for port in seen.place.ports if port.device_id in ids} | {request.old}


def _refuse_doubtful(
    pair: Pair,
    nodes: Sequence[Node],
    facts: Mapping[str, NodeFacts],
    names: Mapping[str, str],
    ports: Sequence[Port],
    meant: Set[str],
) -> None:
    """Refuse a record that the nodes' own files contradict in more than the exchange that was asked for. RecordError.

    One that was killed before it came to the nodes stands in the record alone.
    """
    refuse_unconfirmed(pair, facts)
    if found := unsaid(pair, facts, names, ports, meant):
        raise contradicted(pair, found, facts, nodes, ports)


def _facts(
    pair: Pair, nodes: Sequence[Node], new: Node, old: Departing | None, seen: Mapping[str, NodeFacts]
) -> dict[str, NodeFacts]:
    """Return what was seen of everybody by name; what lies on a new node from an earlier life is to be overwritten.

    Raises UnsatisfiableError for what cannot go together.
    """
    if old is not None and old.facts is not None and old.name in {node.name for node in nodes}:
        raise UnsatisfiableError(f"two nodes have the same name, {old.name!r}", hint="openstack server set --name …")
    facts = dict(seen)
    own = seen[new.name]
    if new.port.id not in {member.port_id for member in pair.members}:
        refuse_newcomer(pair, new, own)
        text = own.pair_files.get(pair.name)
        if text is not None and not is_of(pair, text):
            raise UnsatisfiableError(
                f"a pair {pair.name} of another network lies on {new.name}", hint="name another instance with --new"
            )
        files = {name: text for name, text in own.pair_files.items() if name != pair.name}
        facts[new.name] = replace(own, pair_files=files, withdrawn=own.withdrawn - {pair.name})
    for node in nodes:
        if mode_on(pair.name, facts[node.name]) not in (None, pair.mode):
            raise UnsatisfiableError(
                f"pair {pair.name} is in another mode on {node.name}: a change of mode was broken off",
                hint=f"haos repair {pair.name}",
            )
    if old is not None and old.facts is not None:
        facts[old.name] = old.facts
    return facts


def _checks(
    pair: Pair, new: Node, old: Departing | None, facts: Mapping[str, NodeFacts], request: ReplaceRequest
) -> tuple[ServiceCheck, ...]:
    """Return the service checks that the nodes keep: those who stay before the one that goes.

    Raises UnsatisfiableError where they differ, or for a command that nobody but a node has named: it runs as root.
    """
    kept = kept_checks(pair.name, facts)
    going = old.name if old is not None else None
    staying = {name: checks for name, checks in kept.items() if name not in (new.name, going)} or kept
    if len(set(staying.values())) > 1:
        raise UnsatisfiableError(
            f"the nodes of pair {pair.name} keep different service checks",
            hint="say which are right with haos create … --check, or --no-check",
        )
    checks = next(iter(staying.values()), ())
    specs = " ".join(f"--check {shlex.quote(one.spec)}" for one in checks)
    if request.checks not in (None, checks):
        raise UnsatisfiableError(
            f"the service checks of pair {pair.name} are others: {specs or 'none'}",
            hint="an exchange of nodes does not change them; haos create … --check does",
        )
    is_new = pair.name not in facts[new.name].pair_files
    if is_new and request.checks is None and any(is_command(check) for check in checks):
        raise UnsatisfiableError(
            f"what the nodes keep as service check is a command: that is not believed for {new.name}",
            hint=f"say it yourself, if it is right: {specs}",
        )
    return checks


def _needs_group(pair: Pair, nodes: Sequence[Node], seen: Preflight, ctx: Context) -> bool:
    ids = sorted({group_id for node in nodes for group_id in node.port.group_ids})
    groups = others(ctx.cloud.groups(ids)) if ids else ()
    return not lets_pass(nodes, groups, seen.place.ports, bfd=pair.timing.bfd)


def _active(pair: Pair, nodes: Sequence[Node], facts: Mapping[str, NodeFacts], ctx: Context) -> str | None:
    asked = [node for node in nodes if pair.name in facts[node.name].pair_files]
    active = [name for name, sight in sights_of(pair, asked, ctx).items() if sight.role is Role.ACTIVE]
    return active[0] if len(active) == 1 else None

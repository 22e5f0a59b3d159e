"""What a pair shall be: chosen anew, or changed in what the request says. Pure, over what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network

from haos.core import record, vip, vrrp
from haos.core.keepalived import vrids_in_use
from haos.core.model import RESERVATION_OWNER, Added, Address, Member, Mode, Node, Pair, Port, Timing, vrid_of
from haos.core.names import rebuild_command
from haos.core.node import NodeFacts
from haos.core.nodeconf import kept_checks
from haos.core.plan import missing_pairs, own_pair, vmac_pairs
from haos.core.replace import goes_on
from haos.core.security import unsecured
from haos.core.witness import Word, differences, doubts, justified, names_on, words_of
from haos.errors import RecordError, UnsatisfiableError, UsageError
from haos.workflow.preflight import Preflight
from haos.workflow.request import CreateRequest
from haos.workflow.trust import contradicted


@dataclass(frozen=True)
class Avoid:
    """What others were seen to have, or to take while this run was under way."""

    vips: frozenset[Address] = frozenset()
    vrids: frozenset[int] = frozenset()
    passed: int = 0  # so many free ones are left to others who choose at the same moment


def decide_new(request: CreateRequest, seen: Preflight, avoid: Avoid) -> tuple[Pair, tuple[Node, ...]]:
    """Choose VIP, VRID and priorities of a new pair, and say what haos will have added where.

    Returns the pair and its nodes, the preferred one first. Raises UnsatisfiableError.
    """
    refuse_strangers(seen)
    refuse_orphan(seen)
    address, timing, mode = choose_vip(request, seen, avoid), request.timing(), request.chosen_mode()
    place, adopted = seen.place, seen.reservation is not None
    interval_s = timing.advertisement_interval_s
    chosen = request.priorities or vrrp.priorities(len(place.nodes), interval_s)
    ranked = sorted(zip(place.nodes, chosen, strict=True), key=lambda one: -one[1])
    bare = Pair(
        name=seen.name,
        network_id=place.network.id,
        project_id=place.network.project_id,
        vip=address,
        vrid=choose_vrid(seen, address, avoid),
        members=(),
        mode=mode,
        timing=timing,
        adopted=adopted,
        # OVN delivers the virtual MAC to the port that has it, unless port security gives it to the nodes' ports.
        plain_mac=mode is Mode.VMAC and not adopted and unsecured(place.nodes),
        checks=request.checks or (),
        floating=seen.floating.own,
    )
    members = tuple(
        Member(node.port.id, priority, will_add(node, bare, seen.facts[node.name], needs_group=seen.needs_group))
        for node, priority in ranked
    )
    return replace(bare, members=members), tuple(node for node, _ in ranked)


def choose_vip(request: CreateRequest, seen: Preflight, avoid: Avoid) -> Address:
    """Return the VIP: the one asked for if nothing speaks against it, else the lowest free one."""
    place = seen.place
    if request.vip is None:
        return vip.choose(
            place.subnet, place.ports, avoid=avoid.vips, passed=avoid.passed, from_pool=request.vip_from_pool
        )
    others = [_without_vip(port, request.vip, seen) for port in place.ports if port is not seen.reservation]
    reason = vip.objection(request.vip, place.subnet, others)
    hint = "leave out --vip and haos finds a free one outside the pools"
    in_pool = vip.pool_of(request.vip, place.subnet) is not None
    if reason is None and in_pool and seen.reservation is None and not request.vip_from_pool:
        reason = f"{request.vip} is in an allocation pool of the subnet"
        hint = f"--vip-from-pool takes it (the reservation guards it); or {hint}"
    if reason:
        raise UnsatisfiableError(reason, hint=hint)
    return request.vip


def _without_vip(port: Port, address: Address, seen: Preflight) -> Port:
    """Return a node's port without the exact pair of the VIP: who has done that by hand means this very address."""
    if port.id not in {node.port.id for node in seen.place.nodes}:
        return port
    exact = ip_network(address)
    return replace(port, pairs=tuple(pair for pair in port.pairs if pair.network != exact))


def choose_vrid(seen: Preflight, address: Address, avoid: Avoid) -> int:
    """Return the lowest VRID that is free on the network, on the nodes, and in what was heard on the wire."""
    version, place = address.version, seen.place
    on_nodes = {vrid for facts in seen.facts.values() for vrid in vrids_in_use(facts, version)}
    recorded = {vrid for port in place.ports if (vrid := _recorded_vrid(port, version)) is not None}
    taken = avoid.vrids | on_nodes | recorded
    if seen.reservation is not None and (own := vrid_of(seen.reservation.mac)) and own[1] == version:
        if own[0] in taken:
            raise UnsatisfiableError(
                f"VRID {own[0]}, of which port {seen.reservation.id} has the MAC, is in use",
                hint="use a reservation port with another MAC",
            )
        return own[0]
    return vrrp.choose_vrid((port.mac for port in place.ports), version, avoid=taken, passed=avoid.passed)


def _recorded_vrid(port: Port, version: int) -> int | None:
    """Return the VRID by a reservation's record: the MAC does not always say it."""
    if port.device_owner != RESERVATION_OWNER:
        return None
    try:
        pair = record.decode(port)
    except RecordError:
        return None
    return pair.vrid if pair.vip.version == version else None


def decide_change(request: CreateRequest, seen: Preflight, pair: Pair) -> tuple[Pair, tuple[Node, ...]]:
    """Return the pair with what the request says changed, and its nodes in its order. Raises UnsatisfiableError.

    The order of the record says where the VIP lived at first: only priorities that are given make another one. What
    is missing on a port or node by now is put back, and is haos's own from then on.
    """
    refuse_contradiction(request, pair, seen)
    timing, mode = request.timing(pair.timing), request.chosen_mode(pair.mode)
    changed = replace(
        pair,
        timing=timing,
        mode=mode,
        checks=pair.checks if request.checks is None else request.checks,
        verified=pair.verified and mode is pair.mode,
        floating=seen.floating.own,
    )
    group = seen.needs_group or pair.has_group
    chosen = _priorities(request, seen, pair, timing)
    ranked = list(zip(seen.place.nodes, pair.members, strict=True))
    if request.priorities is not None:
        ranked.sort(key=lambda one: -chosen[one[0].port.id])
    members = tuple(
        Member(
            node.port.id,
            chosen[node.port.id],
            member.added | will_add(node, changed, seen.facts.get(node.name), needs_group=group),
        )
        for node, member in ranked
    )
    return replace(changed, members=members), tuple(node for node, _ in ranked)


def _priorities(request: CreateRequest, seen: Preflight, pair: Pair, timing: Timing) -> Mapping[str, int]:
    """Return port id -> priority; those that haos itself chose follow the interval."""
    before = {member.port_id: member.priority for member in pair.members}
    if request.priorities is not None:
        by_ref = {ref: node for node in seen.place.nodes for ref in (node.instance.id, node.name)}
        pairs = zip(request.nodes, request.priorities, strict=True)
        return {by_ref[ref].port.id: priority for ref, priority in pairs}
    count, interval_s = len(before), pair.timing.advertisement_interval_s
    ranked = sorted(before, key=lambda port_id: -before[port_id])
    if tuple(before[port_id] for port_id in ranked) == vrrp.priorities(count, interval_s):
        return dict(zip(ranked, vrrp.priorities(count, timing.advertisement_interval_s), strict=True))
    return before


def will_add(node: Node, pair: Pair, facts: NodeFacts | None, *, needs_group: bool) -> Added:
    """Return what haos will have added on a node, and its port; without `facts` nothing is done inside."""
    added = Added.PACKAGE if facts is not None and facts.keepalived is None else Added.NOTHING
    if not node.port.port_security:
        return added
    missing = missing_pairs(node.port, pair)
    if own_pair(node.port, pair) in missing:
        added |= Added.PAIR
    if any(want in missing for want in vmac_pairs(pair)):
        added |= Added.VMAC
    return added | (Added.GROUP if needs_group else Added.NOTHING)


def refuse_strangers(seen: Preflight) -> None:
    """Refuse a name that a pair of another network has on a node: their files would be one. UnsatisfiableError."""
    for node in seen.place.nodes:
        text = seen.facts[node.name].pair_files.get(seen.name)
        if text is not None and record.port_code(node.port.id) not in text:
            raise UnsatisfiableError(
                f"a pair {seen.name} of another network lies on {node.name}", hint="choose another name with --name"
            )


def refuse_orphan(seen: Preflight) -> None:
    """Refuse to make anew what the nodes carry, and only the reservation port is gone of. Raises UnsatisfiableError.

    Another VIP would be chosen, and the old one's address pairs and security group be nobody's.
    """
    named = {node.port.id for node in seen.place.nodes}
    words = words_of(seen.name, seen.facts)
    if len(words) < len(named) or any({one.port_id for one in word.said.members} != named for word in words.values()):
        return  # a left-over, as of a node that was skipped by a teardown: it is overwritten
    nodes = [node.name for node in seen.place.nodes]
    raise UnsatisfiableError(
        f"{' and '.join(nodes)} carry pair {seen.name}, VIP {words[nodes[0]].vip}, but its reservation port is gone",
        hint=f"{rebuild_command(seen.name, seen.place.network.id, nodes)} makes it anew",
    )


def refuse_contradiction(request: CreateRequest, pair: Pair, seen: Preflight) -> None:
    """Refuse a request that contradicts the pair that is there. Raises UnsatisfiableError or UsageError."""
    owners = {port.id: port.device_id for port in seen.place.ports}
    if exchange := goes_on(pair, owners | names_on(seen.place.nodes)):
        raise UnsatisfiableError(exchange[0], hint=exchange[1])
    another = "choose another --name, or haos teardown it first"
    if {member.port_id for member in pair.members} != {node.port.id for node in seen.place.nodes}:
        raise UnsatisfiableError(f"pair {pair.name} exists with other nodes", hint=another)
    if request.vip is not None and request.vip != pair.vip:
        raise UnsatisfiableError(f"pair {pair.name} exists with VIP {pair.vip}", hint=another)
    there = seen.reservation.fixed_ips[0].subnet_id if seen.reservation else seen.place.subnet.id
    if there != seen.place.subnet.id:
        raise UnsatisfiableError(f"pair {pair.name} exists on another subnet, with VIP {pair.vip}", hint=another)
    timing = request.timing(pair.timing)
    try:
        vrrp.check_timing(timing, len(pair.members))
    except UsageError as error:
        raise UsageError(f"pair {pair.name}: {error}", hint=error.hint) from error


def as_recorded(request: CreateRequest, seen: Preflight) -> Pair | None:
    """Return the pair that is there, with the service checks that its nodes keep. Raises UnsatisfiableError.

    A check runs as root: what one node says is not believed for another, unless the user says it himself.
    """
    if seen.pair is None:
        return None
    kept = kept_checks(seen.name, seen.facts)
    if len(set(kept.values())) > 1 and request.checks is None:
        said = "; ".join(
            f"{name}: {', '.join(one.spec for one in checks) or 'none'}" for name, checks in kept.items()
        )
        raise UnsatisfiableError(
            f"the nodes of pair {seen.name} keep different service checks ({said})",
            hint="say which are right with --check, or --no-check",
        )
    refuse_unsaid(request, seen, seen.pair)
    known = justified(seen.pair, seen.facts, names_on(seen.place.nodes))
    return replace(known, checks=next(iter(kept.values()), ()))


def refuse_unsaid(request: CreateRequest, seen: Preflight, pair: Pair) -> None:
    """Refuse a record that every node contradicts in what this request does not say itself. Raises RecordError.

    A change that was killed before it came to the nodes stands in the record alone; the same command goes on from it.
    """
    names, ports = names_on(seen.place.nodes), {port.id: port for port in seen.place.ports}
    wanted = _settings(request, seen, pair)
    words = {
        node: word
        for node, word in words_of(seen.name, seen.facts).items()
        if any(one.identity for one in differences(pair, word, names, ports))
        or _settings(request, seen, _as_said(pair, word)) != wanted
    }
    if found := {
        node: each for node, each in doubts(pair, seen.facts, names, seen.place.ports).items() if node in words
    }:
        raise contradicted(pair, found, seen.facts, seen.place.nodes, seen.place.ports)


def _as_said(pair: Pair, word: Word) -> Pair:
    return replace(pair, mode=word.said.mode, timing=word.said.timing, members=word.said.members)


def _settings(request: CreateRequest, seen: Preflight, pair: Pair) -> object:
    """Return how a pair would run after this request."""
    timing = request.timing(pair.timing)
    if {member.port_id for member in pair.members} != {node.port.id for node in seen.place.nodes}:
        return None  # refused, as other nodes, before anything is made of it
    chosen = _priorities(request, seen, pair, timing)
    first = pair.home.port_id if request.priorities is None else None
    return timing, request.chosen_mode(pair.mode), chosen, first

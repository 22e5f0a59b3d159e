"""Look at cloud and nodes before anything is changed: what `check` reports and `create` goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from haos.core import names, record, security
from haos.core.checks import (
    Finding,
    blocker,
    check_echo,
    check_extensions,
    check_intents,
    check_mode,
    check_network,
    check_nodes,
    check_observer,
    check_quota,
    check_watcher,
    max_pairs,
)
from haos.core.floating import FloatingChoice
from haos.core.model import Address, Mode, Node, Pair, Port, SecurityGroup
from haos.core.names import group_mark
from haos.core.node import NodeFacts, Survey
from haos.core.node_checks import NodeNeeds, check_facts
from haos.core.nodeconf import kept_checks
from haos.core.plan import missing_pairs
from haos.core.service import needs_http
from haos.core.vip import adoptable
from haos.errors import HaosError, HostKeyError, LoginError
from haos.workflow.context import Context
from haos.workflow.floating import look_at_floating
from haos.workflow.parallel import attempt_each
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import Place, reservation_on, resolve_place


@dataclass(frozen=True)
class Preflight:
    """What was seen, and what speaks against the pair."""

    name: str
    place: Place
    reservation: Port | None  # the pair's own, or a free one to adopt
    pair: Pair | None  # as the record says; None where the pair is new
    groups: tuple[SecurityGroup, ...]  # of the nodes' ports, and the pair's own
    needs_group: bool
    findings: tuple[Finding, ...] = ()
    floating: FloatingChoice = field(default_factory=FloatingChoice)
    facts: Mapping[str, NodeFacts] = field(default_factory=dict)  # by node name
    errors: Mapping[str, HaosError] = field(default_factory=dict)  # by the name of who could not be looked at
    survey: Survey | None = None  # what the segment said meanwhile, where it was asked and could be

    @property
    def own_group(self) -> SecurityGroup | None:
        """The pair's own security group."""
        mark = group_mark(self.pair.reservation_id) if self.pair else None
        return next((group for group in self.groups if group.description == mark), None)


def look_at_cloud(request: CreateRequest, ctx: Context) -> Preflight:
    """Find everything that the request names, and what the cloud says of it. Raises what resolve_place does."""
    place = resolve_place(
        ctx.cloud,
        request.network,
        request.nodes,
        request.observer,
        request.subnet,
        name=request.name,
        watched=request.watched,
        external_ref=request.floating.network if request.floating else None,
    )
    project_id = ctx.cloud.project_id()
    name = request.name or names.default_name(node.name for node in place.nodes)
    reservation = reservation_on(place.ports, name, project_id)
    pair = record.decode(reservation) if reservation else None
    if pair is None and request.vip is not None:
        reservation = adoptable(request.vip, place.ports, project_id)
    if pair is not None:
        place = _in_order(pair, place)
    groups = _groups(place, pair, ctx)
    mode = request.chosen_mode(pair.mode if pair else None)
    bfd = request.timing(pair.timing if pair else None).bfd
    needs_group = not security.lets_pass(place.nodes, others(groups), place.ports, bfd=bfd)
    findings = [
        *(check_intents(pair, reservation, place.nodes) if pair and reservation else ()),
        *check_network(place.network, place.subnet, project_id),
        *(check_mode(mode, place.nodes) if pair is None or pair.mode is not mode else ()),
        *check_nodes(place.nodes, pairs_needed=_pairs_needed(request, pair, place), max_pairs=max_pairs(place.ports)),
        *check_observer(place.observer, watched=request.watched, on_subnet=place.observer_on_subnet),
        *_check_echo(request, place, groups),
    ]
    floating = look_at_floating(request, place, reservation, pair, ctx.cloud)
    findings += floating.findings
    if pair is None:
        findings += check_extensions(ctx.cloud.extensions())
    if pair is None or floating.make:
        findings += check_quota(
            ctx.cloud.quota(),
            needs_port=reservation is None,
            needs_group=pair is None and needs_group,
            rules=len(security.pair_rules([node.address for node in place.nodes], bfd=bfd)),
            needs_floating=floating.make,
        )
    return Preflight(name, place, reservation, pair, groups, needs_group, tuple(findings), floating)


def others(groups: tuple[SecurityGroup, ...]) -> tuple[SecurityGroup, ...]:
    """Return the groups that are not some pair's own: those go with their pair, and must not be relied on."""
    return tuple(group for group in groups if not group.description.startswith(group_mark("")))


def _in_order(pair: Pair, place: Place) -> Place:
    # The order of --nodes set the priorities when the pair was made; afterwards the record's order stands.
    by_port = {node.port.id: node for node in place.nodes}
    if set(by_port) != {member.port_id for member in pair.members}:
        return place
    return replace(place, nodes=tuple(by_port[member.port_id] for member in pair.members))


def _groups(place: Place, pair: Pair | None, ctx: Context) -> tuple[SecurityGroup, ...]:
    ids = sorted({group_id for node in place.nodes for group_id in node.port.group_ids})
    groups = ctx.cloud.groups(ids) if ids else ()
    mark = group_mark(pair.reservation_id) if pair else None
    if pair is None or not pair.has_group or any(group.description == mark for group in groups):
        return groups
    # It may be on no port: an interrupted run had only just made it.
    named = ctx.cloud.groups_named(names.group_name(pair.name))
    return (*groups, *(group for group in named if group.description == mark))


def _pairs_needed(request: CreateRequest, pair: Pair | None, place: Place) -> dict[str, int]:
    """Return how many address pairs each node's port still needs; a new pair has no VIP yet, and so none of them."""
    mode = request.chosen_mode(pair.mode if pair else None)
    if pair is not None:
        wanted = replace(pair, mode=mode)
        return {node.name: len(missing_pairs(node.port, wanted)) for node in place.nodes}
    for_vmac = 1 if place.subnet.cidr.version == 4 else 2
    return {node.name: 1 + (for_vmac if mode is Mode.VMAC else 0) for node in place.nodes}


def _check_echo(request: CreateRequest, place: Place, groups: tuple[SecurityGroup, ...]) -> list[Finding]:
    watcher = place.observer_port
    if watcher is None or not request.verify:
        return []
    version = place.subnet.cidr.version
    deaf = [
        node.name
        for node in place.nodes
        if not security.lets_echo_in(node.port, watcher, groups, place.ports, version)
    ]
    return list(check_echo(deaf, place.observer, _address_of(watcher, version), version))


def _address_of(port: Port, version: int) -> Address | None:
    return next((fixed.address for fixed in port.fixed_ips if fixed.address.version == version), None)


Asking = Callable[[Node], Survey]
"""Asks the segment from a node."""


def look_at_nodes(seen: Preflight, request: CreateRequest, ctx: Context, ask: Asking | None = None) -> Preflight:
    """Look at every node that runs, and connect to the observer, side by side; errors are kept by name.

    The first node asks the segment meanwhile; what became of that is no error here.
    """
    nodes = [node for node in seen.place.nodes if node.instance.status == "ACTIVE"]
    surveys: list[Survey] = []
    watching: list[Finding] = []

    def look(node: Node | None) -> NodeFacts | None:
        if node is not None and ask is not None and node is nodes[0]:
            return _look_and_ask(node, ask, surveys, ctx)
        if node is not None:
            return ctx.fleet.node(node.instance).facts(node.port.mac)
        if seen.place.observer is not None:
            observer = ctx.fleet.observer(seen.place.observer)
            if request.verify:
                watching.extend(check_watcher(seen.place.observer.name, observer.abilities()))
        return None

    found, failed = attempt_each([*nodes, None], look)
    facts = {node.name: each for node, each in found.items() if node is not None and each is not None}
    errors = {node.name if node else _watcher_name(seen): error for node, error in failed.items()}
    placed = tuple(replace(node, interface=facts[node.name].interface) if node.name in facts else node
                   for node in seen.place.nodes)  # fmt: skip
    needs = needs_of(request, seen, facts)
    inside = [
        finding for node in nodes if node.name in facts for finding in check_facts(node.name, facts[node.name], needs)
    ]
    return replace(
        seen,
        place=replace(seen.place, nodes=placed),
        findings=(*seen.findings, *inside, *watching),
        facts=facts,
        errors=errors,
        survey=surveys[0] if surveys else None,
    )


def _look_and_ask(node: Node, ask: Asking, surveys: list[Survey], ctx: Context) -> NodeFacts:
    agent = ctx.fleet.node(node.instance)  # before both: a login that fails is not to be tried twice
    found: list[NodeFacts] = []

    def look() -> None:
        found.append(agent.facts(node.port.mac))

    def listen() -> None:
        surveys.append(ask(node))

    _, failed = attempt_each((look, listen), lambda work: work())
    if look in failed:
        raise failed[look]
    return found[0]


def _watcher_name(seen: Preflight) -> str:
    return seen.place.observer.name if seen.place.observer else "observer"


def needs_of(request: CreateRequest, seen: Preflight, facts: Mapping[str, NodeFacts]) -> NodeNeeds:
    """Return what the request, and what the pair has been asked before, ask of every node."""
    pair = seen.pair
    kept = (check for checks in kept_checks(seen.name, facts).values() for check in checks)
    checks = tuple(kept) if request.checks is None else request.checks
    return NodeNeeds(
        vmac=request.chosen_mode(pair.mode if pair else None) is Mode.VMAC,
        scripts=bool(checks),
        http=any(needs_http(check) for check in checks),
        bfd=request.timing(pair.timing if pair else None).bfd,
        ip_version=seen.place.subnet.cidr.version,
    )


_CODES: tuple[tuple[type[HaosError], str], ...] = ((HostKeyError, "host-key"), (LoginError, "login"))


def unreachable(name: str, error: HaosError) -> Finding:
    """Return an error of SSH as a finding."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "ssh")
    reason = str(error) if name in str(error) else f"{name}: {error}"
    return blocker(code, reason, error.hint)

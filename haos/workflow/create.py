"""`haos create`: look, decide, plan; then apply and prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from haos.core import names, record, security, vip, vrrp
from haos.core.checks import (
    Finding,
    check_extensions,
    check_network,
    check_nodes,
    check_quota,
    raise_blockers,
)
from haos.core.keepalived import node_config, vrids_in_use
from haos.core.model import Added, Address, Member, Node, Pair, Quota, SecurityGroup, Timing
from haos.core.node import NodeConfig, NodeFacts
from haos.core.node_checks import check_facts
from haos.core.plan import Desired, Plan, Seen, admits, make_plan
from haos.errors import (
    AddressTakenError,
    HaosError,
    LeftoverError,
    MacTakenError,
    UnsatisfiableError,
    UsageError,
    VerificationError,
)
from haos.workflow.apply import LostRaceError, apply, group_description, mark_verified, raise_after_undo, undo_all
from haos.workflow.context import Cloud, Context
from haos.workflow.parallel import for_each
from haos.workflow.resolve import Place, reservation_on, resolve_place
from haos.workflow.verify import Verdict, Verification, look_on, prove

MAX_NODES = 5
MAX_CONFLICTS = 20
"""How often somebody else may be faster with the next VIP or VRID before haos gives up."""


@dataclass(frozen=True)
class CreateRequest:
    """What the user asked for."""

    network: str
    nodes: tuple[str, ...]
    name: str | None = None
    vip: Address | None = None
    subnet: str | None = None
    observer: str | None = None
    verify: bool = True


@dataclass(frozen=True)
class Avoid:
    """What others were seen to take while this run was under way."""

    vips: frozenset[Address] = frozenset()
    vrids: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Prepared:
    """A plan, with all that it was made from."""

    request: CreateRequest
    place: Place
    seen: Seen
    plan: Plan
    warnings: tuple[Finding, ...]

    @property
    def pair(self) -> Pair:
        return self.plan.desired.pair


@dataclass(frozen=True)
class Created:
    """How create ended; `verification` is None where it was not wanted."""

    pair: Pair
    changed: bool
    verification: Verification | None


@dataclass(frozen=True)
class _Cloudscape:
    """What the cloud says beyond the place itself."""

    groups: tuple[SecurityGroup, ...]
    extensions: frozenset[str]
    quota: Quota


def prepare(request: CreateRequest, ctx: Context, avoid: Avoid | None = None) -> Prepared:
    """Look at cloud and nodes, and plan; changes nothing.

    Raises what resolve_place does, UnsatisfiableError for every blocker, and RemoteError for nodes out of reach.
    """
    check_request(request)
    with ctx.progress.step("look at the cloud"):
        place = resolve_place(ctx.cloud, request.network, request.nodes, request.observer, request.subnet)
        project_id = ctx.cloud.project_id()
        name = request.name or names.default_name(node.name for node in place.nodes)
        reservation = reservation_on(place.ports, name, project_id)
        warnings = raise_blockers(
            [
                *check_network(place.network, place.subnet, project_id),
                *check_nodes(place.nodes, is_new=reservation is None),
            ]
        )
        scape = _cloudscape(place, ctx.cloud, is_new=reservation is None)
    with ctx.progress.step("look at the nodes"):
        facts = look_at_nodes(place, ctx)
    raise_blockers(finding for node in place.nodes for finding in check_facts(node.name, facts[node.name]))
    if reservation is None:
        check_strangers(name, place, facts)
        pair = decide(request, name, place, scape, facts, avoid or Avoid())
        group = None
    else:
        pair = record.decode(reservation)
        check_same(request, pair, place)
        place = replace(place, nodes=_in_order(pair, place))
        group = _own_group(scape.groups, pair) or _find_group(ctx.cloud, pair)
    desired = Desired(pair, place.network, place.subnet, place.nodes, _configs(pair, place.nodes, facts))
    seen = Seen(facts, reservation, group)
    return Prepared(request, place, seen, make_plan(desired, seen), warnings)


def check_request(request: CreateRequest) -> None:
    """Refuse what no cloud could satisfy. Raises UsageError."""
    if not 2 <= len(request.nodes) <= MAX_NODES:
        raise UsageError(
            f"--nodes names {len(request.nodes)} instance(s); a pair has 2 to {MAX_NODES}",
            hint="haos create --network NETWORK --nodes A,B",
        )
    if len(set(request.nodes)) < len(request.nodes):
        raise UsageError("the same instance is named twice in --nodes", hint="a pair needs two different instances")
    if request.name is not None:
        names.check_name(request.name)


def look_at_nodes(place: Place, ctx: Context) -> dict[str, NodeFacts]:
    """Return every node's facts, by name; the observer is connected to at the same time."""

    def connect(node: Node | None) -> NodeFacts | None:
        if node is not None:
            return ctx.fleet.node(node.instance).facts(node.port.mac)
        if place.observer is not None:
            ctx.fleet.observer(place.observer)
        return None

    facts = for_each([*place.nodes, None], connect)
    return {node.name: seen for node, seen in facts.items() if node is not None and seen is not None}


def _cloudscape(place: Place, cloud: Cloud, *, is_new: bool) -> _Cloudscape:
    ids = sorted({group_id for node in place.nodes for group_id in node.port.group_ids})
    groups = cloud.groups(ids) if ids else ()
    if not is_new:
        return _Cloudscape(groups, frozenset(), Quota())
    extensions, quota = cloud.extensions(), cloud.quota()
    needs_group = not security.lets_vrrp_pass(place.nodes, others(groups), place.ports)
    rules = 2 * len(place.nodes)
    raise_blockers([*check_extensions(extensions), *check_quota(quota, needs_group=needs_group, rules=rules)])
    return _Cloudscape(groups, extensions, quota)


def decide(
    request: CreateRequest,
    name: str,
    place: Place,
    scape: _Cloudscape,
    facts: dict[str, NodeFacts],
    avoid: Avoid,
) -> Pair:
    """Choose VIP, VRID and priorities of a new pair, and say what haos will have added where."""
    address = choose_vip(request, place, avoid)
    version = address.version
    on_nodes = {vrid for seen in facts.values() for vrid in vrids_in_use(seen)}
    vrid = vrrp.choose_vrid((port.mac for port in place.ports), version, avoid=avoid.vrids | on_nodes)
    timing = Timing()
    needs_group = not security.lets_vrrp_pass(place.nodes, others(scape.groups), place.ports)
    pair = Pair(name, place.network.id, place.network.project_id, address, vrid, (), timing=timing)
    members = tuple(
        Member(node.port.id, priority, _will_add(node, pair, facts[node.name], needs_group=needs_group))
        for node, priority in zip(
            place.nodes, vrrp.priorities(len(place.nodes), timing.advertisement_interval_s), strict=True
        )
    )
    return replace(pair, members=members)


def others(groups: tuple[SecurityGroup, ...]) -> tuple[SecurityGroup, ...]:
    """Return the groups that are not some pair's own: those go with their pair, and must not be relied on."""
    return tuple(group for group in groups if not group.description.startswith(group_description("")))


def choose_vip(request: CreateRequest, place: Place, avoid: Avoid) -> Address:
    """Return the VIP: the one asked for if nothing speaks against it, else the lowest free one."""
    if request.vip is None:
        return vip.choose(place.subnet, place.ports, avoid=avoid.vips)
    reason = vip.objection(request.vip, place.subnet, place.ports)
    if reason is None and vip.pool_of(request.vip, place.subnet):
        reason = f"{request.vip} is in an allocation pool of the subnet"
    if reason:
        raise UnsatisfiableError(reason, hint="leave out --vip and haos finds a free one outside the pools")
    return request.vip


def _will_add(node: Node, pair: Pair, facts: NodeFacts, *, needs_group: bool) -> Added:
    added = Added.NOTHING
    if node.port.port_security:
        added |= Added.NOTHING if admits(node.port, pair) else Added.PAIR
        added |= Added.GROUP if needs_group else Added.NOTHING
    return added | (Added.PACKAGE if facts.keepalived is None else Added.NOTHING)


def check_strangers(name: str, place: Place, facts: dict[str, NodeFacts]) -> None:
    """Refuse a name that a pair of another network has on a node: their files would be one. UnsatisfiableError."""
    for node in place.nodes:
        text = facts[node.name].pair_files.get(name)
        if text is not None and record.port_code(node.port.id) not in text:
            raise UnsatisfiableError(
                f"a pair {name} of another network lies on {node.name}", hint="choose another name with --name"
            )


def check_same(request: CreateRequest, pair: Pair, place: Place) -> None:
    """Refuse a request that contradicts the pair that is there. Raises UnsatisfiableError."""
    if {member.port_id for member in pair.members} != {node.port.id for node in place.nodes}:
        raise UnsatisfiableError(
            f"pair {pair.name} exists with other nodes", hint="choose another --name, or haos teardown it first"
        )
    if request.vip is not None and request.vip != pair.vip:
        raise UnsatisfiableError(
            f"pair {pair.name} exists with VIP {pair.vip}", hint="choose another --name, or haos teardown it first"
        )


def _in_order(pair: Pair, place: Place) -> tuple[Node, ...]:
    # The order of --nodes set the priorities when the pair was made; afterwards the record's order stands.
    by_port = {node.port.id: node for node in place.nodes}
    return tuple(by_port[member.port_id] for member in pair.members)


def _own_group(groups: tuple[SecurityGroup, ...], pair: Pair) -> SecurityGroup | None:
    marked = group_description(pair.reservation_id)
    return next((group for group in groups if group.description == marked), None)


def _find_group(cloud: Cloud, pair: Pair) -> SecurityGroup | None:
    if not any(Added.GROUP in member.added for member in pair.members):
        return None
    return _own_group(cloud.groups_named(names.group_name(pair.name)), pair)


def _configs(pair: Pair, nodes: tuple[Node, ...], facts: dict[str, NodeFacts]) -> dict[str, NodeConfig]:
    return {
        node.name: node_config(
            pair,
            facts[node.name],
            member_index=index,
            source=node.address,
            peers=tuple(peer.address for peer in nodes if peer is not node),
            record=node_record(pair),
        )
        for index, node in enumerate(nodes)
    }


def node_record(pair: Pair) -> str:
    """Return the record as node files carry it: without what changes while the files stay."""
    return record.encode(replace(pair, verified=False))


def create(prepared: Prepared, ctx: Context, replan: Callable[[Prepared], None]) -> Created:
    """Apply a plan and prove the pair; if somebody else takes the VIP or VRID meanwhile, plan anew and tell `replan`.

    Raises VerificationError (exit 4) after undoing a pair that failed its proof; LeftoverError where undoing failed.
    """
    avoid = Avoid()
    for _ in range(MAX_CONFLICTS):
        try:
            return _create_once(prepared, ctx)
        except AddressTakenError:
            if prepared.request.vip is not None:
                raise
            avoid = replace(avoid, vips=avoid.vips | {prepared.pair.vip})
        except MacTakenError:
            avoid = replace(avoid, vrids=avoid.vrids | {prepared.pair.vrid})
        except LostRaceError as lost:
            ctx.progress.note(f"{lost}; going on with that one")
        prepared = prepare(prepared.request, ctx, avoid)
        replan(prepared)
    raise UnsatisfiableError(
        f"others took the chosen VIP or VRID {MAX_CONFLICTS} times in a row", hint="run the same command again"
    )


def _create_once(prepared: Prepared, ctx: Context) -> Created:
    plan, place = prepared.plan, prepared.place
    ledger = apply(plan, prepared.seen, ctx)
    assert ledger.reservation is not None, "every plan ends with a reservation"
    pair = replace(prepared.pair, reservation_id=ledger.reservation.id)
    if not prepared.request.verify:
        return Created(pair, bool(plan), None)
    try:
        if pair.verified:
            verification = look_on(pair, place.nodes, place.observer, ctx)
        else:
            verification = prove(pair, place.nodes, place.observer, ctx)
            if verification.verdict is Verdict.FAIL:
                raise failed(verification, prepared)
    except LeftoverError as error:
        left = undo_all(ledger.undos, place.nodes, ctx)
        reason = f"{error}. {'Not undone: ' + '; '.join(left) if left else 'All that this run made was undone'}"
        raise LeftoverError(reason, hint=error.hint) from error
    except (VerificationError, KeyboardInterrupt) as error:
        raise_after_undo(error, ledger, place.nodes, ctx)
    if not pair.verified and verification.verdict is Verdict.PASS:
        try:
            mark_verified(pair, ctx)
            pair = replace(pair, verified=True)
        except HaosError as error:
            ctx.progress.note(f"the pair is proven, but the record could not be told so: {error}")
    return Created(pair, bool(plan), verification)


def failed(verification: Verification, prepared: Prepared) -> VerificationError:
    """Build the error of a pair that failed its proof; what an earlier run made stays, and is said."""
    if prepared.seen.reservation is None:
        return VerificationError(
            f"{verification.reason}; the pair was undone",
            hint="haos create --no-verify keeps a pair for a closer look",
        )
    name = prepared.pair.name
    return VerificationError(
        f"{verification.reason}; pair {name}, which an earlier run made, was kept",
        hint=f"haos status {name}; undo: haos teardown {name}",
    )

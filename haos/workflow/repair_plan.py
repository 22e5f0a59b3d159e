"""What a repair is made of: the pair looked at as `status` does, and planned as `create` would. Changes nothing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace

from haos.core import record, security
from haos.core.changes import Change, UpdateRecord
from haos.core.checks import Finding, Severity, check_nodes, max_pairs, raise_blockers
from haos.core.floating import FloatingChoice
from haos.core.model import Member, Node, Pair
from haos.core.node import NodeFacts
from haos.core.node_checks import check_facts
from haos.core.nodeconf import configs_there, node_configs
from haos.core.plan import Desired, Plan, Seen, leaves_mode, make_plan, missing_pairs
from haos.core.repair import (
    DropWeight,
    Opening,
    Step,
    comes_before,
    confused,
    nodes_of,
    openings,
    remaining,
    renewed,
    unmended,
    unproven_checks,
    weights,
)
from haos.core.replace import goes_on
from haos.core.status import NodeView, Trouble
from haos.core.troubles import create_command
from haos.core.witness import justified, names_on, words_of
from haos.errors import UnsatisfiableError
from haos.workflow.context import Context
from haos.workflow.decide import as_recorded, decide_change, will_add
from haos.workflow.floating import look_at_floating
from haos.workflow.preflight import Preflight, needs_of, others
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import Place
from haos.workflow.status import Examined
from haos.workflow.teardown import find_group
from haos.workflow.trust import confirmed_openings, refuse_doubtful, refuse_unconfirmed

STATUS_SAYS_IT = frozenset({"instance-not-active", "port-down", "failover-test-at-work"})
"""Findings that are troubles of a status too."""


@dataclass(frozen=True)
class RepairPlan:
    """What is to be done, and what cannot be."""

    examined: Examined
    request: CreateRequest
    place: Place
    plan: Plan
    seen: Seen
    openings: tuple[Opening, ...] = ()
    weights: tuple[DropWeight, ...] = ()
    beyond: tuple[Trouble, ...] = ()

    @property
    def pair(self) -> Pair:
        """The pair as it is recorded."""
        return self.examined.view.pair

    @property
    def before(self) -> Plan:
        """What of the plan comes before the openings, if there are any: what ports and rules need.

        A node that comes back speaks at once: unheard it would be Active beside another, and unanswered if its port
        may not speak for the VIP. Nothing where no node's file confirms the record yet.
        """
        changes = self.plan.changes if self.openings and words_of(self.pair.name, self.seen.facts) else ()
        return replace(self.plan, changes=tuple(change for change in changes if comes_before(change)))

    @property
    def after(self) -> Plan:
        """The rest of the plan."""
        done = self.before.changes
        return replace(self.plan, changes=tuple(change for change in self.plan.changes if change not in done))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Everything that is to be done, in this order."""
        return (*self.before.changes, *self.openings, *self.after.changes, *self.weights)

    @property
    def whole(self) -> bool:
        """Whether every node is there and was looked at."""
        looks = self.examined.looks
        return all(isinstance(looks.get(member.port_id), NodeView) for member in self.pair.members)


@dataclass
class _Draft:
    """A plan on its way: which nodes may be worked at from inside, and what speaks against the others."""

    examined: Examined
    seen: Preflight
    inside: dict[str, NodeFacts]  # by node name
    beyond: list[Trouble] = field(default_factory=list)

    def leave_out(self, *nodes: str, why: Trouble | None) -> None:
        """Leave nodes alone inside."""
        self.beyond += [why] if why else []
        for node in nodes:
            self.inside.pop(node, None)


def plan_repair(examined: Examined, request: CreateRequest, ctx: Context) -> RepairPlan:
    """Plan what brings the pair back to its record, as far as can be seen now.

    Raises CloudError, UnsatisfiableError where no plan can be made at all, and RecordError where the record is not
    what the nodes say, or none of them has a file of the pair: nobody has named them.
    """
    seen = _preflight(examined, request, ctx)
    refuse_doubtful(examined.view.pair, seen.place.nodes, seen.facts, seen.place.ports)
    first = confirmed_openings(examined.view.pair, openings(examined.view, examined.looks), seen.facts)
    if not first:  # what is behind them may confirm the record yet, and nothing else is done before
        refuse_unconfirmed(examined.view.pair, seen.facts)
    draft = _Draft(examined, seen, dict(seen.facts))
    draft.leave_out(*nodes_of(first), why=None)
    _judge_nodes(draft, request)
    whole = len(seen.place.nodes) == len(examined.view.pair.members)
    plan, there = (_plan_whole if whole else _plan_rest)(draft, request)
    last = weights(examined.view, examined.looks)
    found = RepairPlan(examined, request, seen.place, plan, there, first, last)
    said = {trouble.where for trouble in draft.beyond}
    return replace(found, beyond=(*draft.beyond, *unmended(examined.status, found.steps, said)))


def _preflight(examined: Examined, request: CreateRequest, ctx: Context) -> Preflight:
    """Put together what a plan is made from, of what was seen already and few requests more."""
    view, pair = examined.view, examined.view.pair
    facts = {
        node.name: look.facts
        for node in view.members
        if isinstance(look := examined.looks.get(node.port.id), NodeView)
    }
    nodes = tuple(replace(node, interface=facts[node.name].interface) if node.name in facts else node
                  for node in view.members)  # fmt: skip
    network, subnets = ctx.cloud.network_by_id(pair.network_id), ctx.cloud.subnets(pair.network_id)
    subnet = next(one for one in subnets if one.id == view.reservation.fixed_ips[0].subnet_id)
    place = Place(network, subnet, subnets, view.ports, nodes, examined.watcher)
    own = find_group(pair, ctx) if pair.has_group else None
    groups = (*(group for group in view.groups if own is None or group.id != own.id), *([own] if own else []))
    needs = not security.lets_pass(nodes, others(groups), view.ports, bfd=pair.timing.bfd)
    floating = look_at_floating(request, place, view.reservation, pair, ctx.cloud)
    return Preflight(pair.name, place, view.reservation, pair, groups, needs, floating=floating, facts=facts)


def _judge_nodes(draft: _Draft, request: CreateRequest) -> None:
    """Leave out the nodes on which a change would fail, or do harm; say why. Raises UnsatisfiableError."""
    seen, pair = draft.seen, draft.examined.view.pair
    nodes, most = seen.place.nodes, max_pairs(seen.place.ports)
    needed = {node.name: len(missing_pairs(node.port, pair)) for node in nodes}
    raise_blockers(
        [one for one in check_nodes(nodes, pairs_needed=needed, max_pairs=most) if one.code == "same-name"]
    )
    for node in nodes:
        found = list(check_nodes([node], pairs_needed=needed, max_pairs=most))
        if node.name in draft.inside:
            found += check_facts(node.name, draft.inside[node.name], needs_of(request, seen, seen.facts))
        for finding in found:
            if finding.severity is Severity.BLOCKER and finding.code not in STATUS_SAYS_IT:
                draft.leave_out(node.name, why=_as_trouble(finding, node.name))


def _as_trouble(finding: Finding, node: str) -> Trouble:
    reason = finding.reason.removeprefix(f"{node}: ").removeprefix(f"on {node}, ")
    return Trouble(finding.code, node, reason, finding.remedy)


def _plan_whole(draft: _Draft, request: CreateRequest) -> tuple[Plan, Seen]:
    seen = draft.seen
    before = _with_checks(draft, request)
    floating = _floating(draft)
    wanted, nodes = decide_change(request, replace(seen, floating=floating), before)
    place = seen.place
    _mind_modes(draft, wanted, nodes)
    configs = node_configs(wanted, nodes, draft.inside)
    desired = Desired(wanted, place.network, place.subnet, nodes, configs, floating)
    there = Seen(seen.facts, seen.reservation, seen.own_group, before, configs_there(before, nodes, draft.inside))
    plan = make_plan(desired, there)
    names = confused(draft.examined.status, checked=bool(before.checks))
    return replace(plan, changes=renewed(plan.changes, names, configs)), there


def _with_checks(draft: _Draft, request: CreateRequest) -> Pair:
    """Return the pair with the checks that its nodes keep; a node to which a command would be carried is left out."""
    seen, pair = draft.seen, draft.examined.view.pair
    try:
        before = as_recorded(request, seen) or pair
    except UnsatisfiableError as error:
        remedy = f"{create_command(draft.examined.view)} --check SPEC, or --no-check"
        draft.leave_out(*draft.inside, why=Trouble("service-checks", "", error.reason, remedy))
        return justified(pair, seen.facts, names_on(seen.place.nodes))
    for name in unproven_checks(pair.name, before.checks, draft.inside):
        specs = " ".join(f"--check {shlex.quote(one.spec)}" for one in before.checks)
        reason = "its service check is lost, and what the other nodes keep is a command: that is not believed for it"
        why = Trouble("service-checks", name, reason, f"{create_command(draft.examined.view)} {specs}")
        draft.leave_out(name, why=why)
    return before


def _mind_modes(draft: _Draft, wanted: Pair, nodes: tuple[Node, ...]) -> None:
    """Leave all nodes as they are where some are in another mode and not all can be brought out of it together."""
    desired = Desired(wanted, draft.seen.place.network, draft.seen.place.subnet, nodes, {})
    there = Seen(draft.seen.facts)
    astray = [node.name for node in nodes if node.name in draft.seen.facts and leaves_mode(node, desired, there)]
    if astray and len(draft.inside) < len(nodes):
        reason = f"the pair is there in another mode than {wanted.mode}, which all nodes must leave together"
        remedy = f"once all nodes can be worked at: haos repair {wanted.name}"
        draft.leave_out(*draft.inside, why=Trouble("mode", ", ".join(astray), reason, remedy))


def _floating(draft: _Draft) -> FloatingChoice:
    """Return what becomes of the floating IP; where it cannot come back the record goes on naming it."""
    choice, pair = draft.seen.floating, draft.examined.view.pair
    told = next((trouble for trouble in draft.examined.status.troubles if trouble.code == "floating-ip"), None)
    blockers = [finding for finding in choice.findings if finding.severity is Severity.BLOCKER]
    if not choice.findings:
        return choice
    if blockers:
        draft.beyond += [Trouble(one.code, "", one.reason, one.remedy) for one in blockers]
    elif told is not None:
        draft.beyond.append(told)
    return FloatingChoice(pair.floating, there=choice.there)


def _plan_rest(draft: _Draft, _: CreateRequest) -> tuple[Plan, Seen]:
    """Plan for a pair that has lost a node: what the others need that does not depend on that one's address.

    Raises UnsatisfiableError where nodes are being exchanged, as a plan for all of them does.
    """
    seen, pair, place = draft.seen, draft.examined.view.pair, draft.seen.place
    if exchange := goes_on(pair, {node.port.id: node.name for node in place.nodes}):
        raise UnsatisfiableError(exchange[0], hint=exchange[1])
    found = {node.port.id: node for node in place.nodes}

    def marked(member: Member) -> Member:
        node = found.get(member.port_id)
        if node is None:
            return member
        facts = draft.inside.get(node.name)
        return replace(member, added=member.added | will_add(node, pair, facts, needs_group=pair.has_group))

    whole = replace(pair, members=tuple(marked(member) for member in pair.members))
    rest = replace(whole, members=tuple(member for member in whole.members if member.port_id in found))
    floating = _floating(draft)
    desired = Desired(rest, place.network, place.subnet, place.nodes, {}, floating)
    there = Seen(seen.facts, seen.reservation, seen.own_group, pair)
    changes: list[Change] = []
    if record.encode(whole) != record.encode(pair):
        changes.append(UpdateRecord(draft.examined.view.reservation, record.encode(whole)))
    changes += remaining(make_plan(desired, there).changes, pair.name, draft.inside)
    return Plan(desired, tuple(changes)), there

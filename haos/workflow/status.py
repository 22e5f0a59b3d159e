"""`haos status`: what the cloud, the nodes and the observer say of a pair. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from haos.core import service
from haos.core.intent import naming
from haos.core.model import Instance, Member, Node, Pair, Role
from haos.core.node import Sight
from haos.core.nodeconf import config_current, node_config
from haos.core.outage import Verdict
from haos.core.plan import admits
from haos.workflow.context import Context
from haos.workflow.intent import names_of
from haos.workflow.parallel import attempt_each
from haos.workflow.resolve import OBSERVER, choose_observer, find_pair, pair_nodes
from haos.workflow.verify import Verification, look_on


@dataclass(frozen=True)
class NodeStatus:
    """One row of the table."""

    name: str
    role: Role
    holds_vip: bool
    priority: int
    keepalived: str | None  # version; None where it could not be seen
    pair_admitted: bool  # the port may speak for the VIP
    config: str  # "ok", "differs", "missing", "withdrawn", "unknown"
    problem: str | None = None


@dataclass(frozen=True)
class PairStatus:
    """The whole of it."""

    pair: Pair
    nodes: tuple[NodeStatus, ...]
    observed: Verification | None
    pending: tuple[str, ...] = ()  # faults that are announced and not undone, in words

    @property
    def healthy(self) -> bool:
        """One Active, a Backup ready, nothing drifted, and the observer (where there is one) is answered."""
        roles = [node.role for node in self.nodes]
        return (
            not self.pending
            and roles.count(Role.ACTIVE) == 1
            and (Role.BACKUP in roles or (self.pair.timing.bfd and Role.FAULT in roles))
            and all(node.problem is None for node in self.nodes)
            and (self.observed is None or self.observed.verdict is Verdict.PASS)
        )


def status(name: str | None, observer_ref: str | None, ctx: Context) -> PairStatus:
    """Look at a pair from all three sides."""
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, name)
        nodes, ports = pair_nodes(ctx.cloud, pair)
        watcher = find_watcher(observer_ref, {port.device_id for port in ports}, nodes, ctx)
    with ctx.progress.step("look at the nodes"):
        rows, errors = attempt_each(nodes.values(), lambda node: _look(pair, node, nodes, ctx))
    statuses = tuple(_row(member, nodes, rows, {node.port.id: str(error) for node, error in errors.items()})
                     for member in pair.members)  # fmt: skip
    ordered = [nodes[member.port_id] for member in pair.members if member.port_id in nodes]
    observed = look_on(pair, ordered, watcher, ctx) if watcher and not errors and len(ordered) > 1 else None
    return PairStatus(pair, statuses, observed, naming(pair, reservation, names_of(nodes)))


def find_watcher(ref: str | None, here: set[str], nodes: dict[str, Node], ctx: Context) -> Instance | None:
    """Return the observer: the one named, else the only instance named `observer` on the network."""
    found = ctx.cloud.instances([ref or OBSERVER])
    return choose_observer(ctx.cloud, ref, found, here, {node.instance.id for node in nodes.values()})


def _look(pair: Pair, node: Node, nodes: dict[str, Node], ctx: Context) -> tuple[Sight, NodeStatus]:
    agent = ctx.fleet.node(node.instance)
    facts, sight = agent.facts(node.port.mac), agent.sight(pair.name, pair.vip)
    index = next(i for i, member in enumerate(pair.members) if member.port_id == node.port.id)
    config = "missing"
    if pair.name in facts.withdrawn:
        config = "withdrawn"
    elif pair.name in facts.pair_files and len(nodes) < len(pair.members):
        config = "unknown"  # what it should be cannot be told without the missing peer's address
    elif pair.name in facts.pair_files:
        peers = tuple(
            nodes[m.port_id].address for m in pair.members if m.port_id != node.port.id and m.port_id in nodes
        )
        kept = replace(pair, checks=service.checks_of(facts.pair_files[pair.name]))
        wanted = node_config(kept, facts, member_index=index, source=node.address, peers=peers)
        config = "ok" if config_current(wanted, facts) else "differs"
    admitted = not node.port.port_security or admits(node.port, pair)
    problem = _problem(pair, sight, config, admitted)
    priority = pair.members[index].priority
    row = NodeStatus(node.name, sight.role, sight.holds_vip, priority, facts.keepalived, admitted, config, problem)
    return sight, row


def _problem(pair: Pair, sight: Sight, config: str, admitted: bool) -> str | None:
    if not admitted:
        return "its port lacks the address pair"
    if config != "ok":
        return f"its configuration is {config}" if config == "missing" else f"its configuration {config}"
    if not sight.daemon_active:
        return "keepalived does not run"
    waits_in_fault = pair.timing.bfd and sight.role is Role.FAULT
    if sight.role not in (Role.ACTIVE, Role.BACKUP) and not waits_in_fault:
        return f"its role is {sight.role}"
    if sight.holds_vip != (sight.role is Role.ACTIVE):
        return f"it is {sight.role} and {'holds' if sight.holds_vip else 'does not hold'} the VIP"
    return None


def _row(
    member: Member,
    nodes: dict[str, Node],
    rows: dict[Node, tuple[Sight, NodeStatus]],
    errors: dict[str, str],
) -> NodeStatus:
    node = nodes.get(member.port_id)
    if node in rows and node is not None:
        return rows[node][1]
    gone = f"port {member.port_id} or its instance is gone"
    name, problem = (node.name, errors.get(member.port_id, gone)) if node else (member.port_id, gone)
    return NodeStatus(name, Role.UNKNOWN, False, member.priority, None, node is not None, "unknown", problem)

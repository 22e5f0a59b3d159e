"""What a repair does beside the changes that a plan knows, before and after them, and what nobody can mend. Pure.

A step that comes before opens the way: until it is made, what else is wrong behind it cannot be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from haos.core.changes import (
    Activate,
    AdmitVip,
    Change,
    Configure,
    InstallKeepalived,
    MakeGroup,
    MendGroup,
    RemovePair,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.intent import CloudFault, Intent, pending, where
from haos.core.model import Mode, Port, Role, ServiceCheck
from haos.core.node import NodeConfig, NodeFacts
from haos.core.service import is_command
from haos.core.status import CloudView, NodeView, PairStatus, Silent, Trouble

Looks = Mapping[str, NodeView | Silent]
"""What each node said, by port id."""


@dataclass(frozen=True)
class UndoFault:
    """Undo a fault that a failover test has announced, and take the announcement back."""

    intent: Intent
    node: str  # its name, or "port ID" where that is all that is known
    port: Port | None  # None where it is gone


@dataclass(frozen=True)
class EnablePort:
    """Set a node's port administratively up."""

    node: str
    port_id: str


@dataclass(frozen=True)
class TrustKey:
    """Keep the host keys that a rebuilt node's console log shows in place of those that haos kept."""

    node: str
    fingerprints: tuple[str, ...]  # "ED25519 SHA256:…"


@dataclass(frozen=True)
class EndTest:
    """End the fault that a failover test has left on a node, and its watch."""

    node: str
    fault: str | None  # None: nothing but the watch


@dataclass(frozen=True)
class DropWeight:
    """Let a node's priority count as it is configured: a switchover was broken off."""

    node: str
    weight: int


Opening = UndoFault | EnablePort | TrustKey | EndTest
Mend = Opening | DropWeight
Step = Mend | Change

FOLLOWS = frozenset({"role", "vip", "dual-active", "no-active", "no-backup", "observer", "neighbour"})
"""Troubles that others bring with them, or that are not in haos's hands: whether they are over is seen afterwards."""
BEYOND = frozenset({"instance", "gone", "unreachable", "vip-taken"})
"""Troubles that no repair can end."""
MENDED_BESIDE = frozenset({"not-enabled", "security-group", "switchover", "tested"})
"""Troubles with which a pair counts as healthy, and which a repair ends all the same."""
INSIDE = (InstallKeepalived, RemovePair, Configure, Activate)
_NAMED = (UndoFault, EnablePort, TrustKey, EndTest, DropWeight, *INSIDE)


def openings(view: CloudView, looks: Looks) -> tuple[Opening, ...]:
    """Return the steps that come first."""
    return tuple(_openings(view, looks))


def _openings(view: CloudView, looks: Looks) -> Iterator[Opening]:
    names = {port_id: node.name for port_id, node in view.nodes.items()}
    ports = {port.id: port for port in view.ports}
    announced = set[tuple[CloudFault, str]]()
    for intent in pending(view.pair, view.reservation):
        announced.add((intent.fault, intent.port_id))
        yield UndoFault(intent, where(intent, names), ports.get(intent.port_id))
    for node in view.members:
        if not node.port.admin_up and (CloudFault.PORT_DOWN, node.port.id) not in announced:
            yield EnablePort(node.name, node.port.id)
    for node in view.members:
        look = looks.get(node.port.id)
        if isinstance(look, Silent) and look.fingerprints:
            yield TrustKey(node.name, look.fingerprints)
        elif isinstance(look, NodeView) and (look.facts.fault is not None or look.facts.tested):
            yield EndTest(node.name, look.facts.fault)


def weights(view: CloudView, looks: Looks) -> tuple[DropWeight, ...]:
    """Return the weights that lie on nodes: they go last, since up to then they may hold the VIP where it is."""
    return tuple(
        DropWeight(node.name, weight)
        for node in view.members
        if isinstance(look := looks.get(node.port.id), NodeView)
        if (weight := look.facts.weights.get(view.pair.name))
    )


def confused(status: PairStatus, *, checked: bool) -> frozenset[str]:
    """Return the nodes on which VIP and keepalived contradict each other: the pair is taken off there, and put back.

    Measured (2.2.7): a reload leaves an address where keepalived did not set it itself; its own start takes it off.
    In mode vmac a node is in Fault as long as the VIP's own device is down, or one that keepalived has not made: it
    goes with the pair, and comes back with it. With service checks (`checked`) Fault may have another reason.
    """
    made_anew = status.pair.mode is Mode.VMAC and not checked
    return frozenset(
        row.name
        for row in status.nodes
        for trouble in row.troubles
        if trouble.code == "vip"
        or (trouble.code == "left-over" and (row.keepalived_running or made_anew))
        or (trouble.code == "role" and row.role is Role.FAULT and made_anew)
    )


def renewed(changes: tuple[Change, ...], names: Set[str], configs: Mapping[str, NodeConfig]) -> tuple[Change, ...]:
    """Return a plan's changes with the pair taken off these nodes and put back there."""
    gone = {change.node for change in changes if isinstance(change, RemovePair)}
    again = [name for name in configs if name in names and name not in gone]
    kept = [change for change in changes if not (isinstance(change, Configure | Activate) and change.node in again)]
    more = (
        change
        for name in again
        for change in (RemovePair(name, configs[name]), Configure(name, configs[name]), Activate(name))
    )
    return (*kept, *more)


def unproven_checks(pair: str, checks: Sequence[ServiceCheck], facts: Mapping[str, NodeFacts]) -> tuple[str, ...]:
    """Return the nodes that keep no check, where another's is a command.

    A command runs as root: what one node says is not believed for another.
    """
    if not any(is_command(check) for check in checks):
        return ()
    return tuple(name for name, seen in facts.items() if pair not in seen.pair_files)


def comes_before(change: Change) -> bool:
    """Say whether all others rest on a change: what ports and rules need, and the record of it."""
    match change:
        case UpdateRecord() | MakeGroup() | AdmitVip():
            return True
        case MendGroup(group, rules):
            return set(group.rules) <= set(rules)
    return False


def remaining(changes: Iterable[Change], pair: str, facts: Mapping[str, NodeFacts]) -> Iterator[Change]:
    """Yield what of a plan for the nodes that are left helps them, and what brings their keepalived back to work.

    Their files name the node that is gone, by an address that nobody knows: they are left as they are.
    """
    for change in changes:
        match change:
            case AdmitVip() | TakeFloatingIp() | MakeGroup():
                yield change
            case MendGroup(group, rules) if set(group.rules) <= set(rules):
                yield change
    for name, seen in facts.items():
        if pair not in seen.pair_files or pair in seen.withdrawn:
            continue
        if seen.keepalived is None:
            yield InstallKeepalived(name)
        if seen.keepalived is None or not seen.daemon_active or not seen.daemon_enabled or seen.pending:
            yield Activate(name)


def nodes_of(steps: tuple[Step, ...]) -> frozenset[str]:
    """Return the nodes that steps are about."""
    return frozenset(step.node for step in steps if isinstance(step, _NAMED))


def rests_on(step: Step) -> frozenset[str]:
    """Return the nodes that are not put to work where a step has failed."""
    return frozenset({step.node}) if isinstance(step, AdmitVip) else nodes_of((step,))


def unmended(status: PairStatus, steps: tuple[Step, ...], said: Set[str]) -> tuple[Trouble, ...]:
    """Return the troubles that none of the steps is for; `said` are the nodes of which it was said already why."""
    helped = nodes_of(steps) | said
    inside = frozenset({"config", "reload", "keepalived", "left-over", "fault", "tested"})
    return tuple(
        trouble
        for trouble in status.troubles
        if trouble.code in BEYOND - {"unreachable"}
        or (trouble.code == "unreachable" and trouble.where not in helped)
        or (trouble.code in inside and trouble.grave and trouble.where not in helped)
    )

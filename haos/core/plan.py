"""From what is and what shall be to an ordered list of changes. Dry-run is this and nothing after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from haos.core import names, record
from haos.core.changes import (
    Activate,
    AdmitVip,
    Change,
    Configure,
    InstallKeepalived,
    MakeGroup,
    Reservation,
    ReserveVip,
)
from haos.core.keepalived import config_current
from haos.core.model import (
    Added,
    AddressPair,
    CloudNetwork,
    Node,
    Pair,
    Port,
    SecurityGroup,
    SecurityRule,
    Subnet,
    virtual_mac,
)
from haos.core.node import NodeConfig, NodeFacts
from haos.core.security import vrrp_rules


@dataclass(frozen=True)
class Desired:
    """The pair as it shall be, and where."""

    pair: Pair
    network: CloudNetwork
    subnet: Subnet
    nodes: tuple[Node, ...]  # in the order of the pair's members
    configs: Mapping[str, NodeConfig]  # by node name

    @property
    def needs_group(self) -> bool:
        """Whether any member's port gets a group of ours."""
        return any(Added.GROUP in member.added for member in self.pair.members)


@dataclass(frozen=True)
class Seen:
    """What is there already, of this pair."""

    facts: Mapping[str, NodeFacts]  # by node name
    reservation: Port | None = None
    group: SecurityGroup | None = None


@dataclass(frozen=True)
class Plan:
    """Ordered changes; empty where all is as it should be."""

    desired: Desired
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)


def make_plan(desired: Desired, seen: Seen) -> Plan:
    """Return what turns `seen` into `desired`.

    The invariant behind the order: no daemon runs a pair's instance before the VIP is reserved and every node's port
    may speak for it; else two nodes could both turn Active, or a stranger could be given the address.
    """
    return Plan(
        desired,
        (
            *_reserve(desired, seen),
            *_group(desired, seen),
            *_admit(desired, seen),
            *_install(desired, seen),
            *_configure(desired, seen),
        ),
    )


def _reserve(desired: Desired, seen: Seen) -> list[Change]:
    if seen.reservation:
        return []
    pair = desired.pair
    reservation = Reservation(
        network_id=pair.network_id,
        subnet_id=desired.subnet.id,
        address=pair.vip,
        mac=virtual_mac(pair.vrid, pair.vip.version),
        name=names.port_name(pair.name),
        device_id=names.device_id(pair.name),
        description=record.encode(pair),
    )
    return [ReserveVip(reservation, pair.vrid)]


def _group(desired: Desired, seen: Seen) -> list[Change]:
    if not desired.needs_group:
        return []
    rules = vrrp_rules([node.address for node in desired.nodes])
    if seen.group and _same_rules(seen.group, rules):
        return []
    stale = seen.group.id if seen.group else None
    return [MakeGroup(names.group_name(desired.pair.name), rules, stale)]


def _same_rules(group: SecurityGroup, rules: Sequence[SecurityRule]) -> bool:
    return {replace(rule, id="") for rule in group.rules} == set(rules)


def _admit(desired: Desired, seen: Seen) -> list[Change]:
    changes: list[Change] = []
    for node, member in zip(desired.nodes, desired.pair.members, strict=True):
        pair = None if admits(node.port, desired.pair) else AddressPair(str(desired.pair.vip), node.port.mac)
        attached = seen.group is not None and seen.group.id in node.port.group_ids
        group = Added.GROUP in member.added and not attached
        if node.port.port_security and (pair or group):
            changes.append(AdmitVip(node.name, node.port.id, pair, group))
    return changes


def admits(port: Port, pair: Pair) -> bool:
    """Say whether a port already has exactly the pair {VIP} with its own MAC.

    A wider pair lets the frames pass as well, but only an exact one makes OVN bind the VIP to the node.
    """
    return any(
        have.network.num_addresses == 1 and have.covers(pair.vip) and have.mac_address.lower() == port.mac
        for have in port.pairs
    )


def _install(desired: Desired, seen: Seen) -> list[Change]:
    return [InstallKeepalived(node.name) for node in desired.nodes if seen.facts[node.name].keepalived is None]


def _configure(desired: Desired, seen: Seen) -> list[Change]:
    """Files on Backups first, so that a wrong one is found there; then the daemons, the preferred node's first.

    On a new pair whoever starts first becomes Active: started last, the preferred node would have to wait for its
    preempt delay and then move the VIP once more.
    """
    stale = [
        node
        for node in desired.nodes
        if not config_current(desired.configs[node.name], seen.facts[node.name]) or not _runs(seen.facts[node.name])
    ]
    files = [Configure(node.name, desired.configs[node.name]) for node in reversed(stale)]
    return [*files, *(Activate(node.name) for node in stale)]


def _runs(facts: NodeFacts) -> bool:
    return facts.daemon_active and facts.daemon_enabled

"""Which security-group rules let VRRP through, and which ones a pair lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_network

from haos.core.model import Address, Node, Port, SecurityGroup, SecurityRule

VRRP = "112"
_VRRP_NAMES = {"112", "vrrp", "any", "0"}
"""Neutron keeps "vrrp" and "112" as they were sent, and means the same by them."""


def vrrp_rules(addresses: Sequence[Address]) -> tuple[SecurityRule, ...]:
    """Return the rules that let protocol 112 pass between these addresses and nothing else."""
    return tuple(
        SecurityRule(direction, address.version, VRRP, remote_ip=ip_network(address))
        for direction in ("ingress", "egress")
        for address in addresses
    )


def rule_changes(
    have: Iterable[SecurityRule], wanted: Iterable[SecurityRule]
) -> tuple[tuple[SecurityRule, ...], tuple[SecurityRule, ...], tuple[SecurityRule, ...]]:
    """Return (kept, missing, unwanted): what brings a group to exactly the rules wanted; of two alike one is kept."""
    missing = {_meaning(rule): rule for rule in wanted}
    kept: list[SecurityRule] = []
    unwanted: list[SecurityRule] = []
    for rule in have:
        (kept if missing.pop(_meaning(rule), None) else unwanted).append(rule)
    return tuple(kept), tuple(missing.values()), tuple(unwanted)


def _meaning(rule: SecurityRule) -> SecurityRule:
    protocol = rule.protocol.lower() if rule.protocol else None
    return replace(rule, id="", protocol=VRRP if protocol == "vrrp" else protocol)


def lets_vrrp_pass(nodes: Sequence[Node], groups: Iterable[SecurityGroup], ports: Iterable[Port]) -> bool:
    """Say whether protocol 112 passes between all nodes, by the groups that their ports carry."""
    known = {group.id: group for group in groups}
    ports = tuple(ports)
    return all(
        not node.port.port_security
        or all(
            _admits(node, peer, direction, known, ports)
            for peer in nodes
            if peer is not node
            for direction in _DIRECTIONS
        )
        for node in nodes
    )


_DIRECTIONS = ("ingress", "egress")


def _admits(node: Node, peer: Node, direction: str, known: dict[str, SecurityGroup], ports: Sequence[Port]) -> bool:
    rules = (rule for group_id in node.port.group_ids if group_id in known for rule in known[group_id].rules)
    return any(_rule_admits(rule, peer, direction, ports) for rule in rules)


def _rule_admits(rule: SecurityRule, peer: Node, direction: str, ports: Sequence[Port]) -> bool:
    if rule.direction != direction or rule.version != peer.address.version:
        return False
    if rule.protocol is not None and rule.protocol.lower() not in _VRRP_NAMES:
        return False
    if rule.remote_ip is not None:
        return peer.address in rule.remote_ip
    if rule.remote_group_id is not None:
        # Membership counts by port: the peer's own address belongs to a group that its port carries.
        return any(rule.remote_group_id in port.group_ids for port in ports if port.id == peer.port.id)
    return True

"""Which security-group rules let VRRP (and BFD) through between the nodes, and ICMP to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from haos.core.model import Address, Node, Port, SecurityGroup, SecurityRule

VRRP = "112"
UDP = "udp"
BFD_PORT = 3784
"""Of single-hop BFD control packets (RFC 5881, section 4)."""
_ANY = {"any", "0"}
_SPELLINGS = {
    VRRP: {"112", "vrrp"},
    UDP: {"udp", "17"},
    "icmp": {"icmp", "1"},
    "ipv6-icmp": {"ipv6-icmp", "icmpv6", "icmp", "58"},
}
"""Neutron keeps a protocol as it was sent, "vrrp" or "112", and means the same by them."""
_DIRECTIONS = ("ingress", "egress")


@dataclass(frozen=True)
class Flow:
    """A kind of packets: a protocol by Neutron's name and, for UDP, the destination port."""

    protocol: str
    port: int | None = None


@dataclass(frozen=True)
class Barred:
    """Packets of a pair that a port does not let pass: from (ingress) or to (egress) a peer."""

    flow: Flow
    direction: str
    peer: str  # its name


def flows(*, bfd: bool = False) -> tuple[Flow, ...]:
    """Return what has to pass between a pair's nodes."""
    return (Flow(VRRP), Flow(UDP, BFD_PORT)) if bfd else (Flow(VRRP),)


def pair_rules(addresses: Sequence[Address], *, bfd: bool = False) -> tuple[SecurityRule, ...]:
    """Return the rules that let the pair's own packets pass between these addresses and nothing else."""
    return tuple(
        SecurityRule(direction, address.version, flow.protocol, flow.port, flow.port, ip_network(address))
        for flow in flows(bfd=bfd)
        for direction in _DIRECTIONS
        for address in addresses
    )


def lets_pass(
    nodes: Sequence[Node], groups: Iterable[SecurityGroup], ports: Iterable[Port], *, bfd: bool = False
) -> bool:
    """Say whether the pair's packets pass between all nodes, by the groups that their ports carry."""
    groups, ports = tuple(groups), tuple(ports)
    return not any(barred(node, nodes, groups, ports, bfd=bfd) for node in nodes)


def barred(
    node: Node, peers: Iterable[Node], groups: Iterable[SecurityGroup], ports: Iterable[Port], *, bfd: bool = False
) -> tuple[Barred, ...]:
    """Return what of the pair's packets a node's own port keeps from passing, by the groups that it carries."""
    known = {group.id: group for group in groups}
    ports = tuple(ports)
    return tuple(
        Barred(flow, direction, peer.name)
        for peer in peers
        if peer is not node and node.port.port_security
        for direction in _DIRECTIONS
        for flow in flows(bfd=bfd)
        if not _admits(node.port, peer.address, peer.port.id, direction, flow, known, ports)
    )


def lets_echo_in(
    port: Port, asker: Port, groups: Iterable[SecurityGroup], ports: Iterable[Port], version: int
) -> bool:
    """Say whether an ICMP echo from the asker's port reaches this port."""
    address = next((fixed.address for fixed in asker.fixed_ips if fixed.address.version == version), None)
    if not port.port_security or address is None:
        return True
    known = {group.id: group for group in groups}
    flow = Flow("icmp" if version == 4 else "ipv6-icmp")
    return _admits(port, address, asker.id, "ingress", flow, known, tuple(ports))


def _admits(
    port: Port,
    peer: Address,
    peer_port_id: str,
    direction: str,
    flow: Flow,
    known: dict[str, SecurityGroup],
    ports: Sequence[Port],
) -> bool:
    rules = [rule for group_id in port.group_ids if group_id in known for rule in known[group_id].rules]
    return any(
        rule.direction == direction and _is_for(rule, flow, peer) and _reaches(rule, peer, peer_port_id, ports)
        for rule in rules
    )


def _is_for(rule: SecurityRule, flow: Flow, peer: Address) -> bool:
    if rule.version != peer.version:
        return False
    if rule.protocol is None or rule.protocol.lower() in _ANY:
        return True
    if rule.protocol.lower() not in _SPELLINGS[flow.protocol]:
        return False
    if flow.protocol in ("icmp", "ipv6-icmp"):
        return rule.port_min is None or rule.port_min == (8 if flow.protocol == "icmp" else 128)  # the type: echo
    if rule.port_min is None or flow.port is None:
        return True
    return rule.port_min <= flow.port <= (rule.port_max or rule.port_min)


def _reaches(rule: SecurityRule, peer: Address, peer_port_id: str, ports: Sequence[Port]) -> bool:
    if rule.remote_address_group_id is not None:
        return False  # whom it holds is not looked up: a rule too many does no harm
    if rule.remote_ip is not None:
        return peer in rule.remote_ip
    if rule.remote_group_id is not None:
        # Membership counts by port: the peer's own address belongs to a group that its port carries.
        return any(rule.remote_group_id in port.group_ids for port in ports if port.id == peer_port_id)
    return True


def unsecured(nodes: Iterable[Node]) -> bool:
    """Say whether no node's port has port security: whatever MAC they send from, the network lets it pass."""
    return not any(node.port.port_security for node in nodes)


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


def same_rules(have: Iterable[SecurityRule], wanted: Iterable[SecurityRule]) -> bool:
    """Say whether a group has exactly the rules wanted."""
    _, missing, unwanted = rule_changes(have, wanted)
    return not missing and not unwanted


def _meaning(rule: SecurityRule) -> tuple[object, ...]:
    spelled = rule.protocol.lower() if rule.protocol else None
    protocol = next((name for name, spellings in _SPELLINGS.items() if spelled in spellings), spelled)
    remote = (rule.remote_ip, rule.remote_group_id, rule.remote_address_group_id)
    return rule.direction, rule.version, protocol, rule.port_min, rule.port_max, *remote

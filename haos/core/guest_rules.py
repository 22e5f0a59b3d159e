"""A peer's packet, and what a firewall's rules may ask of it; an answer is yes, no, or not to be known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_network

Interface = IPv4Interface | IPv6Interface

OUTCOMES = {
    "=accept": {"=accept"},
    "=drop": {"=drop"},
    "=end": {"=end"},
    "=either": {"=accept", "=drop"},
}
"""What a rule that decides may come to; no chain has such a name."""


@dataclass(frozen=True)
class Packet:
    """A peer's advertisement, or its BFD packet, as far as rules can ask for it."""

    device: str
    network: Interface  # the node's own address: a peer is in its subnet
    port: int | None = None  # UDP's, of BFD; None: VRRP

    @property
    def protocol(self) -> frozenset[str]:
        """Return how rules call its protocol."""
        return frozenset({"112", "vrrp"} if self.port is None else {"17", "udp"})

    @property
    def family(self) -> str:
        return "ip" if self.network.version == 4 else "ip6"


@dataclass(frozen=True)
class Rule:
    """`matches`: True, False, or None where that cannot be known; `target`: an outcome, or the name of a chain."""

    matches: bool | None
    target: str | None
    calls: bool = False  # a chain that comes back here at its end


@dataclass
class Table:
    """Chains of one table, and which of them see what comes in."""

    name: str  # "inet filter"; "iptables"
    chains: dict[str, list[Rule]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)  # base chain -> verdict


def all_of(conditions: Iterable[bool | None]) -> bool | None:
    """Return the conjunction of conditions that may be unknown."""
    known = set(conditions)
    if False in known:
        return False
    return None if None in known else True


def negated(condition: bool | None) -> bool | None:
    return None if condition is None else not condition


def is_device(name: str, packet: Packet) -> bool:
    if name.endswith(("+", "*")):
        return packet.device.startswith(name[:-1])
    return name == packet.device


def to_port(ports: str, packet: Packet) -> bool | None:
    """Say whether the packet goes to a port, or to one of a range "FIRST:LAST"."""
    first, _, last = ports.partition(":")
    if packet.port is None or not first.isdigit() or not (last or first).isdigit():
        return None
    return int(first) <= packet.port <= int(last or first)


def from_peer(network: str, packet: Packet) -> bool | None:
    """Say whether a peer's address is in a network: for sure only if the whole subnet is."""
    try:
        asked = ip_network(network, strict=False)
    except ValueError:
        return None
    subnet = packet.network.network
    if asked.version != subnet.version or not asked.overlaps(subnet):
        return False
    return True if asked.prefixlen <= subnet.prefixlen else None


def to_node(network: str, packet: Packet) -> bool | None:
    try:
        return packet.network.ip in ip_network(network, strict=False)
    except ValueError:
        return None

"""From what is and what shall be to an ordered list of changes. Dry-run is this and nothing after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from haos.core import names, record
from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    RemovePair,
    Reservation,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.floating import FloatingChoice
from haos.core.model import (
    RESERVATION_OWNER,
    Added,
    AddressPair,
    CloudNetwork,
    Mode,
    Node,
    Pair,
    Port,
    SecurityGroup,
    Subnet,
    virtual_mac,
)
from haos.core.node import NodeConfig, NodeFacts
from haos.core.nodeconf import config_current, mode_on
from haos.core.security import pair_rules, rule_changes

LINK_LOCAL = int(IPv6Address("fe80::"))


@dataclass(frozen=True)
class Desired:
    """The pair as it shall be, and where."""

    pair: Pair
    network: CloudNetwork
    subnet: Subnet
    nodes: tuple[Node, ...]  # in the order of the pair's members
    configs: Mapping[str, NodeConfig]  # by node name; a node without one is left alone inside
    floating: FloatingChoice = field(default_factory=FloatingChoice)


@dataclass(frozen=True)
class Seen:
    """What is there already, of this pair."""

    facts: Mapping[str, NodeFacts]  # by node name
    reservation: Port | None = None  # the pair's, or a free one to adopt
    group: SecurityGroup | None = None
    pair: Pair | None = None  # as the record says; None where the pair is new
    configs: Mapping[str, NodeConfig] | None = None  # what the record's pair means for each node


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
    may speak for it; else two nodes could both turn Active, or a stranger could be given the address. The record goes
    before what it records.
    """
    return Plan(
        desired,
        (
            *_reserve(desired, seen),
            *_group(desired, seen),
            *_admit(desired, seen),
            *_floating(desired),
            *_install(desired, seen),
            *_leave_mode(desired, seen),
            *_configure(desired, seen),
            *_trim_group(desired, seen),
        ),
    )


def _reserve(desired: Desired, seen: Seen) -> list[Change]:
    pair, port = desired.pair, seen.reservation
    description = record.encode(pair)
    if port is None:
        reservation = Reservation(
            network_id=pair.network_id,
            subnet_id=desired.subnet.id,
            address=pair.vip,
            mac=None if pair.plain_mac else virtual_mac(pair.vrid, pair.vip.version),
            name=names.port_name(pair.name),
            device_id=names.device_id(pair.name),
            description=description,
        )
        return [ReserveVip(reservation, pair.vrid)]
    if port.device_owner != RESERVATION_OWNER:
        return [AdoptPort(port, pair.vip, pair.vrid, names.device_id(pair.name), description)]
    return [] if port.description == description else [UpdateRecord(port, description)]


def _group(desired: Desired, seen: Seen) -> list[Change]:
    if not desired.pair.has_group:
        return []
    rules = pair_rules([node.address for node in desired.nodes], bfd=desired.pair.timing.bfd)
    if seen.group is None:
        return [MakeGroup(names.group_name(desired.pair.name), rules)]
    _, missing, _ = rule_changes(seen.group.rules, rules)
    return [MendGroup(seen.group, (*seen.group.rules, *missing))] if missing else []


def _trim_group(desired: Desired, seen: Seen) -> list[Change]:
    """Rules that nobody needs any more go last: what runs until then may need them."""
    if not desired.pair.has_group or seen.group is None:
        return []
    rules = pair_rules([node.address for node in desired.nodes], bfd=desired.pair.timing.bfd)
    _, _, unwanted = rule_changes(seen.group.rules, rules)
    return [MendGroup(seen.group, rules)] if unwanted else []


def _admit(desired: Desired, seen: Seen) -> list[Change]:
    changes: list[Change] = []
    for node, member in zip(desired.nodes, desired.pair.members, strict=True):
        missing = missing_pairs(node.port, desired.pair)
        attached = seen.group is not None and seen.group.id in node.port.group_ids
        group = Added.GROUP in member.added and not attached
        if node.port.port_security and (missing or group):
            changes.append(AdmitVip(node.name, node.port.id, missing, group))
    return changes


def _floating(desired: Desired) -> list[Change]:
    choice, vip = desired.floating, desired.pair.vip
    if choice.take is not None:
        return [TakeFloatingIp(choice.take, vip)]
    if choice.make and choice.network_id is not None:
        return [MakeFloatingIp(choice.network_id, choice.network, vip)]
    return []


def own_pair(port: Port, pair: Pair) -> AddressPair:
    """Return the address pair {VIP} with the port's own MAC."""
    return AddressPair(str(pair.vip), port.mac)


def vmac_pairs(pair: Pair) -> tuple[AddressPair, ...]:
    """Return the address pairs of vmac mode beside {VIP}: ARP answers carry the virtual MAC.

    For IPv6 its link-local address too, which the OVS firewall admits only for a port's own MAC.
    """
    mac = virtual_mac(pair.vrid, pair.vip.version)
    if pair.vip.version == 4:
        return (AddressPair(str(pair.vip), mac),)
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    local = IPv6Address(LINK_LOCAL | int.from_bytes(identifier))
    return AddressPair(str(pair.vip), mac), AddressPair(str(local), mac)


def wanted_pairs(port: Port, pair: Pair) -> tuple[AddressPair, ...]:
    """Return every address pair that a node's port needs."""
    return (own_pair(port, pair), *(vmac_pairs(pair) if pair.mode is Mode.VMAC else ()))


def missing_pairs(port: Port, pair: Pair) -> tuple[AddressPair, ...]:
    """Return the address pairs that a port still needs.

    A wider pair lets the frames pass as well, but only an exact one makes OVN bind the VIP to the node.
    """
    return tuple(want for want in wanted_pairs(port, pair) if not has_pair(port, want))


def has_pair(port: Port, want: AddressPair) -> bool:
    """Say whether an address pair is on a port, however it is spelled there."""
    network = want.network
    return any(have.mac_address.lower() == want.mac_address and have.network == network for have in port.pairs)


def admits(port: Port, pair: Pair) -> bool:
    """Say whether a port has all the address pairs that the pair needs there."""
    return not missing_pairs(port, pair)


def added_pairs(port: Port, pair: Pair, added: Added) -> tuple[AddressPair, ...]:
    """Return the address pairs that, as the record says, haos itself put on a port."""
    own = (own_pair(port, pair),) if Added.PAIR in added else ()
    return (*own, *(vmac_pairs(pair) if Added.VMAC in added else ()))


def _install(desired: Desired, seen: Seen) -> list[Change]:
    return [
        InstallKeepalived(node.name)
        for node in desired.nodes
        if node.name in desired.configs and seen.facts[node.name].keepalived is None
    ]


def _inside(desired: Desired) -> tuple[Node, ...]:
    """Return the nodes that are set up from inside, the preferred one first."""
    return tuple(node for node in desired.pair.by_preference(desired.nodes) if node.name in desired.configs)


def leaves_mode(node: Node, desired: Desired, seen: Seen) -> bool:
    """Say whether the pair is on a node in another mode than it shall be."""
    return mode_on(desired.pair.name, seen.facts[node.name]) not in (None, desired.pair.mode)


def _leave_mode(desired: Desired, seen: Seen) -> list[Change]:
    """Take the pair off every node before any node has the new mode: the two do not understand each other."""
    changes: list[Change] = [
        RemovePair(node.name, seen.configs[node.name])
        for node in reversed(_inside(desired))
        if seen.configs is not None and leaves_mode(node, desired, seen)
    ]
    for node, member in zip(desired.nodes, desired.pair.members, strict=True):
        kept = wanted_pairs(node.port, desired.pair)
        ours = added_pairs(node.port, desired.pair, member.added)
        gone = tuple(pair for pair in ours if pair not in kept and has_pair(node.port, pair))
        if gone:
            changes.append(DismissVip(node.name, node.port.id, gone))
    return changes


def _configure(desired: Desired, seen: Seen) -> list[Change]:
    """Files on Backups first, so that a wrong one is found there; then the daemons, the preferred node's first.

    On a new pair whoever starts first becomes Active: started last, the preferred node would have to wait for its
    preempt delay and then move the VIP once more.
    """
    stale = [
        node
        for node in _inside(desired)
        if leaves_mode(node, desired, seen)
        or not config_current(desired.configs[node.name], seen.facts[node.name])
        or not _runs(seen.facts[node.name])
    ]
    files = [
        Configure(node.name, desired.configs[node.name], _previous(node, desired, seen)) for node in reversed(stale)
    ]
    return [*files, *(Activate(node.name) for node in stale)]


def _previous(node: Node, desired: Desired, seen: Seen) -> NodeConfig | None:
    """Return what the record says of a node, to be put back if the change fails; a drift is mended by that."""
    config = (seen.configs or {}).get(node.name)
    if config is None or leaves_mode(node, desired, seen) or config == desired.configs[node.name]:
        return None
    return config if desired.pair.name in seen.facts[node.name].pair_files else None


def _runs(facts: NodeFacts) -> bool:
    return facts.daemon_active and facts.daemon_enabled and not facts.pending

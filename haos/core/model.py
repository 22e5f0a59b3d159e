"""The things haos reasons about: Neutron's and Nova's as it sees them, and the pair that it makes of them."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

RESERVATION_OWNER = "haos:vip"
"""`device_owner` of every port that reserves a VIP for haos."""


class Role(enum.StrEnum):
    """A node's own view of its part (RFC 9568, section 6.4; keepalived's words live in core/keepalived.py)."""

    ACTIVE = "Active"
    BACKUP = "Backup"
    FAULT = "Fault"
    STOPPED = "stopped"  # keepalived does not run, or does not run this instance
    UNKNOWN = "unknown"


class Mode(enum.StrEnum):
    """How clients find the node that holds the VIP."""

    GARP = "garp"  # the node's own MAC, announced by gratuitous ARP
    VMAC = "vmac"  # the virtual router's MAC


@lru_cache
def _network(text: str) -> Network:
    """Parse it once: the same few pairs are compared at every look."""
    return ip_network(text, strict=False)


@dataclass(frozen=True)
class AddressPair:
    """An allowed address pair, spelled as the cloud spells it (Neutron keeps `/32` and MAC case as sent)."""

    ip_address: str
    mac_address: str

    @property
    def network(self) -> Network:
        """The addresses that the pair admits."""
        return _network(self.ip_address)

    def covers(self, address: Address) -> bool:
        """Say whether the pair admits this address, whatever the MAC."""
        network = self.network
        return address.version == network.version and address in network


@dataclass(frozen=True)
class FixedIp:
    """An address of a port, with the subnet it is from."""

    address: Address
    subnet_id: str


@dataclass(frozen=True)
class Port:
    """A Neutron port as the project sees it."""

    id: str
    network_id: str
    project_id: str
    mac: str  # lower case
    fixed_ips: tuple[FixedIp, ...]
    name: str = ""
    device_id: str = ""
    device_owner: str = ""
    description: str = ""
    pairs: tuple[AddressPair, ...] = ()
    group_ids: tuple[str, ...] = ()
    port_security: bool = True
    admin_up: bool = True
    revision: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pool:
    """An allocation pool: both ends belong to it."""

    first: Address
    last: Address


@dataclass(frozen=True)
class Subnet:
    """A Neutron subnet."""

    id: str
    name: str
    network_id: str
    cidr: Network
    gateway: Address | None = None
    pools: tuple[Pool, ...] = ()
    dns: tuple[Address, ...] = ()
    next_hops: tuple[Address, ...] = ()
    ipv6_address_mode: str | None = None


@dataclass(frozen=True)
class CloudNetwork:
    """A Neutron network."""

    id: str
    name: str
    project_id: str
    shared: bool = False
    port_security: bool = True
    mtu: int = 1500
    external: bool = False


@dataclass(frozen=True)
class Router:
    """A Neutron router."""

    id: str
    name: str
    gateway_network_id: str | None = None  # the external network that it leads to


@dataclass(frozen=True)
class FloatingIp:
    """A floating IP of the project."""

    id: str
    address: Address
    network_id: str  # the external one that it is from
    port_id: str | None = None  # that it is associated with
    status: str = ""  # Neutron's: ACTIVE, DOWN, ERROR
    description: str = ""
    router_id: str | None = None  # by which it leads there
    forwards: bool = False  # it serves port forwardings, and so no port as a whole
    revision: int | None = None


@dataclass(frozen=True)
class OwnFloatingIp:
    """The floating IP that haos itself gave a pair."""

    taken: IPv4Address | None = None  # one that the project had already; None: haos made it, which is said on itself


@dataclass(frozen=True)
class Instance:
    """A Nova server, as far as haos cares."""

    id: str
    name: str
    status: str  # Nova's: ACTIVE, SHUTOFF, PAUSED, …
    project_id: str = ""
    host_id: str = ""
    tags: tuple[str, ...] = ()
    fixed: tuple[Address, ...] = ()
    floating: tuple[Address, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.id[:8]}…)"


class InstanceAction(enum.StrEnum):
    """What Nova is asked to do to an instance, in its own words."""

    START = "os-start"
    STOP = "os-stop"
    PAUSE = "pause"
    UNPAUSE = "unpause"

    @property
    def outcome(self) -> str:
        """The status of an instance to which it was done."""
        return {"os-stop": "SHUTOFF", "pause": "PAUSED"}.get(self.value, "ACTIVE")


@dataclass(frozen=True)
class SecurityRule:
    """A security-group rule as Neutron spells it; None is "any"."""

    direction: str  # ingress | egress
    version: int  # 4 | 6
    protocol: str | None = None  # a name or a number, as it was sent
    port_min: int | None = None
    port_max: int | None = None
    remote_ip: Network | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    id: str = ""


@dataclass(frozen=True)
class SecurityGroup:
    """A security group with its rules."""

    id: str
    name: str
    project_id: str
    description: str = ""
    rules: tuple[SecurityRule, ...] = ()


@dataclass(frozen=True)
class Quota:
    """How many more of each the project may have; None where the cloud sets no limit or does not say."""

    ports: int | None = None
    groups: int | None = None
    rules: int | None = None
    floating_ips: int | None = None


@dataclass(frozen=True)
class Node:
    """An instance's part in a pair: where it is plugged in and how VRRP speaks from it."""

    instance: Instance
    port: Port
    address: Address  # the port's own address on the pair's subnet: source of its adverts
    interface: str | None = None  # the port's device inside; None as long as nobody has looked

    @property
    def name(self) -> str:
        return self.instance.name


@dataclass(frozen=True)
class ServiceCheck:
    """What must succeed on a node for it to hold the VIP: a command, "tcp:PORT" or a URL (core/service.py)."""

    spec: str


class Added(enum.Flag):
    """What haos itself put on a node or its port, and so may take away again."""

    NOTHING = 0
    PAIR = enum.auto()  # {VIP} with the port's own MAC
    GROUP = enum.auto()
    PACKAGE = enum.auto()
    VMAC = enum.auto()  # {VIP} with the virtual router's MAC


@dataclass(frozen=True)
class Member:
    """A node as the record keeps it: enough to find it again and to undo."""

    port_id: str
    priority: int
    added: Added = Added.NOTHING


@dataclass(frozen=True)
class Timing:
    """When an instance speaks and how soon it takes over (RFC 9568, section 6.1)."""

    advertisement_interval_s: float = 0.3
    preempt_delay_s: int = 5
    preempt: bool = True  # whether the preferred node takes the VIP back once it can
    bfd: bool = False  # two nodes: the Backup watches the Active by BFD (RFC 5880)


@dataclass(frozen=True)
class Pair:
    """A highly available VIP: what the record says, together with the port that carries it."""

    name: str
    network_id: str
    project_id: str
    vip: Address
    vrid: int
    members: tuple[Member, ...]  # in the order of the first request, which a switchover does not change
    mode: Mode = Mode.GARP
    timing: Timing = field(default_factory=Timing)
    reservation_id: str = ""
    verified: bool = False  # a trial failover was seen to work
    adopted: bool = False  # the reservation port was somebody's own before: teardown gives it back
    plain_mac: bool = False  # haos's own reservation port has a MAC of Neutron's choice, not the virtual one
    checks: tuple[ServiceCheck, ...] = ()  # kept on the nodes, never in the cloud
    floating: OwnFloatingIp | None = None

    @property
    def home(self) -> Member:
        """The member where the VIP lived when the pair was made."""
        return self.members[0]

    @property
    def preferred(self) -> Member:
        """The member with the highest priority: where the VIP lives now, while all is well."""
        return max(self.members, key=lambda member: member.priority)

    def priority_of(self, node: Node) -> int:
        """Return the priority that a node has by the record."""
        return next(member.priority for member in self.members if member.port_id == node.port.id)

    def by_preference(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """Return nodes of the pair with the preferred one first, whatever their order in the record."""
        return tuple(sorted(nodes, key=self.priority_of, reverse=True))

    def exchanged(self, one: Member, other: Member) -> Pair:
        """Return the pair with the priorities of two members exchanged; their order stays."""
        swapped = {one.port_id: other.priority, other.port_id: one.priority}
        members = (replace(member, priority=swapped.get(member.port_id, member.priority)) for member in self.members)
        return replace(self, members=tuple(members))

    @property
    def has_group(self) -> bool:
        """Whether a security group of its own is on any port."""
        return any(Added.GROUP in member.added for member in self.members)


_VIRTUAL_MAC = re.compile("00:00:5e:00:0([12]):([0-9a-f]{2})")


def virtual_mac(vrid: int, version: int) -> str:
    """Return the virtual router MAC address of a VRID (RFC 9568, section 7.3)."""
    if not 1 <= vrid <= 255:
        raise ValueError(f"VRID {vrid} is not within 1-255")
    return f"00:00:5e:00:{1 if version == 4 else 2:02x}:{vrid:02x}"


def vrid_of(mac: str) -> tuple[int, int] | None:
    """Return (VRID, IP version) of a virtual router MAC, or None for any other MAC."""
    if not mac.startswith("00:00:"):  # a large network has tens of thousands of others
        return None
    match = _VIRTUAL_MAC.fullmatch(mac.lower())
    vrid = int(match[2], 16) if match else 0
    return (vrid, 4 if match[1] == "1" else 6) if match and vrid else None

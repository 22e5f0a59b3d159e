"""What the lab's API decides and its data plane carries out: plain frozen values.

The API side (`haos.lab.api`) owns the store and hands the whole desired `Fabric` to a `World` after every change.
The data plane (`haos.lab.fabric`, `haos.lab.hypervisor`) implements `World`; tests of the API use an idle one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Interface = IPv4Interface | IPv6Interface


class Direction(StrEnum):
    """Seen from the instance, as in Neutron: ingress goes to it, egress comes from it."""

    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(frozen=True)
class Rule:
    """One effective security-group rule; remote groups are already resolved to addresses.

    `protocol` is the IP protocol number, None for any. `port_min`/`port_max` are TCP/UDP ports, or ICMP type/code.
    `remotes` None admits every peer; an empty tuple admits nobody (a remote group without members).
    """

    direction: Direction
    version: int  # 4 or 6
    protocol: int | None = None
    port_min: int | None = None
    port_max: int | None = None
    remotes: tuple[Network, ...] | None = None


@dataclass(frozen=True)
class AddressPair:
    """An allowed address pair; `order` grows with every setting of a pair anywhere in the cloud (last one wins)."""

    ip: Network
    mac: str  # lower case
    order: int = 0


class PortKind(StrEnum):
    """Who sits behind a port."""

    INSTANCE = "instance"
    ROUTER = "router"  # the gateway: trusted, neither anti-spoofing nor groups apply
    NONE = "none"  # unbound: a reservation; nothing is plugged


@dataclass(frozen=True)
class FabricPort:
    """A Neutron port as the switch enforces it."""

    id: str
    network_id: str
    kind: PortKind
    mac: str  # lower case
    addresses: tuple[Interface, ...]  # each with its subnet's prefix length
    owner: str = ""  # server id of an instance port
    admin_up: bool = True
    port_security: bool = True
    pairs: tuple[AddressPair, ...] = ()
    rules: tuple[Rule, ...] = ()


class FabricKind(StrEnum):
    """How the switch finds the port of a MAC address, and who answers ARP requests."""

    OVS = "ovs"  # as ML2/OVS and OVN: pinned from the ports' MACs and pairs, nothing is learned
    LEARNING = "learning"  # a MAC is where it was seen last; what a port may not send is not learned
    ARP_CACHE = "arp-cache"  # learning; the switch answers for every address that it has heard of, and others do not


@dataclass(frozen=True)
class SwitchSettings:
    """How the lab's switch works."""

    kind: FabricKind = FabricKind.OVS
    delay_s: float = 0.5  # until a port's change shows on the wire
    arp_cache_s: float = 600.0  # how long an address stays in the ARP table of the fabric `arp-cache`


@dataclass(frozen=True)
class Fabric:
    """The whole desired state of the switches."""

    kind: FabricKind
    ports: tuple[FabricPort, ...]


@dataclass(frozen=True)
class Nic:
    """One network card of an instance: the Neutron port as the guest sees it."""

    port_id: str
    network_id: str
    device: str  # ens3, ens4, …
    mac: str
    addresses: tuple[Interface, ...]
    gateways: tuple[Address, ...] = ()
    mtu: int = 1500
    checksums: bool = True  # of what is sent are left to the card; a switch in user space never makes them


@dataclass(frozen=True)
class Guest:
    """An instance to boot."""

    id: str
    name: str  # as in Nova: any text
    hostname: str  # a legal host name made of it
    nics: tuple[Nic, ...]
    authorized_keys: tuple[str, ...] = ()


class Power(StrEnum):
    """Nova's words for what an instance does."""

    ACTIVE = "ACTIVE"
    SHUTOFF = "SHUTOFF"
    PAUSED = "PAUSED"


@dataclass(frozen=True)
class FloatingAddress:
    """A loopback address of the machine that stands for an address inside the lab."""

    floating: IPv4Address
    fixed: IPv4Address
    network_id: str


class World(Protocol):
    """What really happens when the API says so.

    Every method returns once the order is taken; `power` tells what has become of it.
    """

    def apply_fabric(self, fabric: Fabric) -> None:
        """Take over the whole desired state; it shows on the wire after the lab's delay."""

    def apply_floating(self, addresses: tuple[FloatingAddress, ...]) -> None:
        """Listen on exactly these floating addresses."""

    def boot(self, guest: Guest) -> None:
        """Make a fresh disk and power the instance on."""

    def start(self, guest_id: str) -> None:
        """Power on with the disk as it was left."""

    def stop(self, guest_id: str) -> None:
        """Press the power button (clean shutdown), the plug after a deadline."""

    def reboot(self, guest_id: str, *, hard: bool) -> None:
        """Restart cleanly, or by the plug if hard."""

    def pause(self, guest_id: str) -> None:
        """Freeze every process of the instance."""

    def unpause(self, guest_id: str) -> None:
        """Let a frozen instance go on."""

    def rebuild(self, guest_id: str) -> None:
        """Begin anew with a fresh disk and fresh host keys; what was off stays off."""

    def rewire(self, guest: Guest) -> None:
        """Give an instance other network cards, at once if it runs."""

    def delete(self, guest_id: str) -> None:
        """Pull the plug and throw the disk away."""

    def power(self, guest_id: str) -> Power:
        """Say what the instance does now."""

    def console(self, guest_id: str) -> str:
        """Return the instance's console log."""

    def cut(self, port_id: str, *, dark: bool) -> None:
        """Lose all frames of a port, both ways, from now on; or let them pass again."""


IDLE_CONSOLE = "FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE"
"""What Nova's own fake driver shows."""


@dataclass
class IdleWorld:
    """A World in which nothing happens but what is asked: for tests of the API alone."""

    fabric: Fabric | None = None
    floating: tuple[FloatingAddress, ...] = ()
    powers: dict[str, Power] = field(default_factory=dict)
    consoles: dict[str, str] = field(default_factory=dict)
    dark: set[str] = field(default_factory=set)
    rebuilt: list[str] = field(default_factory=list)
    guests: dict[str, Guest] = field(default_factory=dict)  # as they were wired last

    def apply_fabric(self, fabric: Fabric) -> None:
        self.fabric = fabric

    def apply_floating(self, addresses: tuple[FloatingAddress, ...]) -> None:
        self.floating = addresses

    def boot(self, guest: Guest) -> None:
        self.guests[guest.id] = guest
        self.powers[guest.id] = Power.ACTIVE

    def start(self, guest_id: str) -> None:
        self.powers[guest_id] = Power.ACTIVE

    def stop(self, guest_id: str) -> None:
        self.powers[guest_id] = Power.SHUTOFF

    def reboot(self, guest_id: str, *, hard: bool) -> None:
        self.powers[guest_id] = Power.ACTIVE

    def pause(self, guest_id: str) -> None:
        self.powers[guest_id] = Power.PAUSED

    def unpause(self, guest_id: str) -> None:
        self.powers[guest_id] = Power.ACTIVE

    def rebuild(self, guest_id: str) -> None:
        self.rebuilt.append(guest_id)

    def rewire(self, guest: Guest) -> None:
        self.guests[guest.id] = guest

    def delete(self, guest_id: str) -> None:
        self.powers.pop(guest_id, None)

    def power(self, guest_id: str) -> Power:
        return self.powers[guest_id]

    def console(self, guest_id: str) -> str:
        return self.consoles.get(guest_id, IDLE_CONSOLE)

    def cut(self, port_id: str, *, dark: bool) -> None:
        (self.dark.add if dark else self.dark.discard)(port_id)

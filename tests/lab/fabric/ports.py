"""Ports and rules of the tests: one network, documentation addresses."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network

from haos.lab.model import AddressPair, Direction, FabricPort, Network, PortKind, Rule

NETWORK_ID = "6a1e0000-0000-4000-8000-000000000001"
VIP = "192.0.2.10"
VIRTUAL_MAC = "00:00:5e:00:01:33"
ICMP, TCP, UDP, VRRP, ICMPV6 = 1, 6, 17, 112, 58
EGRESS_ALL = (Rule(Direction.EGRESS, 4), Rule(Direction.EGRESS, 6))  # what every new group is born with
INGRESS_ALL = (Rule(Direction.INGRESS, 4), Rule(Direction.INGRESS, 6))


def port(
    number: int,
    *rules: Rule,
    egress: tuple[Rule, ...] = EGRESS_ALL,
    pairs: tuple[AddressPair, ...] = (),
    kind: PortKind = PortKind.INSTANCE,
    port_security: bool = True,
    admin_up: bool = True,
    network_id: str = NETWORK_ID,
) -> FabricPort:
    """The port of instance `number`, with MAC fa:16:3e:00:00:NN, 192.0.2.NN and 2001:db8::NN."""
    return FabricPort(
        id=f"{number:08x}-0000-4000-8000-000000000000",
        network_id=network_id,
        kind=kind,
        mac=mac(number),
        addresses=(ip_interface(f"192.0.2.{number}/24"), ip_interface(f"2001:db8::{number}/64")),
        owner=f"server-{number}",
        admin_up=admin_up,
        port_security=port_security,
        pairs=pairs,
        rules=(*egress, *rules),
    )


def mac(number: int) -> str:
    return f"fa:16:3e:00:00:{number:02x}"


def ingress(protocol: int | None, *ports: int, remotes: tuple[str, ...] | None = None, version: int = 4) -> Rule:
    return _rule(Direction.INGRESS, protocol, ports, remotes, version)


def egress(protocol: int | None, *ports: int, remotes: tuple[str, ...] | None = None, version: int = 4) -> Rule:
    return _rule(Direction.EGRESS, protocol, ports, remotes, version)


def pair(ip: str, mac: str, order: int = 0) -> AddressPair:
    return AddressPair(ip_network(ip), mac, order)


def _rule(
    direction: Direction, protocol: int | None, ports: tuple[int, ...], remotes: tuple[str, ...] | None, version: int
) -> Rule:
    networks: tuple[Network, ...] | None = None if remotes is None else tuple(map(ip_network, remotes))
    first = ports[0] if ports else None
    last = ports[-1] if ports and (protocol not in (ICMP, ICMPV6) or len(ports) > 1) else None
    return Rule(direction, version, protocol, first, last, networks)

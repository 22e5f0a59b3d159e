"""Anti-spoofing: which frames a port with port security may send, as nftables rules of the bridge family.

A frame passes if its source MAC and its IP source (or ARP sender, MAC and IP) are the port's own or one address pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from haos.lab.cards import link_local
from haos.lab.model import FabricPort, Network

IPV6_BITS = 128
# Inside ICMPv6, in bits: the target address, then the first option (type and length, MAC).
ND_TARGET, ND_OPTION, ND_OPTION_MAC = 64, 192, 208
SOURCE_MAC_OPTION, TARGET_MAC_OPTION = "0x0101", "0x0201"
# What only a router or a DHCP server may say; Neutron drops it whatever the rules of the group are.
SERVERS_ONLY = ("udp sport 67 udp dport 68", "udp sport 547 udp dport 546", "icmpv6 type nd-router-advert")
# What a host says before it has an address.
UNADDRESSED = "{ mld-listener-report, nd-router-solicit, nd-neighbor-solicit, mld2-listener-report }"


def guard(port: FabricPort) -> list[str]:
    """Return the rules that frames from a port go through; what none of them accepts is dropped."""
    rules = [f"{match} drop" for match in SERVERS_ONLY]
    rules.append(f"ether saddr {port.mac} ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept")
    for mac, networks in _speakers(port).items():
        rules += _guard_v4(mac, [each for each in networks if isinstance(each, IPv4Network)])
        rules += _guard_v6(mac, [each for each in networks if isinstance(each, IPv6Network)])
    return rules


def elements(networks: Iterable[Network]) -> str:
    """Return an nftables set of networks, single addresses without their prefix length."""
    return "{ " + ", ".join(str(each).removesuffix(f"/{each.max_prefixlen}") for each in networks) + " }"


def _speakers(port: FabricPort) -> dict[str, list[Network]]:
    """Collect for every MAC behind a port the addresses that it may use."""
    speakers: dict[str, list[Network]] = {port.mac: [ip_network(each.ip) for each in port.addresses]}
    for pair in port.pairs:
        speakers.setdefault(pair.mac, []).append(pair.ip)
    for mac, networks in speakers.items():
        networks.append(ip_network(link_local(mac)))
    return speakers


def _guard_v4(mac: str, networks: list[IPv4Network]) -> Iterator[str]:
    if networks:
        allowed = elements(collapse_addresses(networks))
        yield f"ether saddr {mac} ip saddr {allowed} accept"
        yield f"ether saddr {mac} arp saddr ether {mac} arp saddr ip {allowed} accept"


def _guard_v6(mac: str, networks: list[IPv6Network]) -> Iterator[str]:
    speaks = f"ether saddr {mac}"
    collapsed = list(collapse_addresses(networks))
    for kind, option in (("nd-neighbor-solicit", SOURCE_MAC_OPTION), ("nd-neighbor-advert", TARGET_MAC_OPTION)):
        named = f"@th,{ND_OPTION},16 {option} @th,{ND_OPTION_MAC},48 != 0x{mac.replace(':', '')}"
        yield f"{speaks} icmpv6 type {kind} {named} drop"
    yield f"{speaks} ip6 saddr :: icmpv6 type {UNADDRESSED} accept"
    for network in collapsed:
        yield f"{speaks} ip6 saddr {elements(collapsed)} icmpv6 type nd-neighbor-advert{_target(network)} accept"
    yield f"{speaks} icmpv6 type nd-neighbor-advert drop"
    yield f"{speaks} ip6 saddr {elements(collapsed)} accept"


def _target(network: IPv6Network) -> str:
    """Match the target address of a neighbour advertisement."""
    if not network.prefixlen:
        return ""
    prefix = int(network.network_address) >> (IPV6_BITS - network.prefixlen)
    return f" @th,{ND_TARGET},{network.prefixlen} 0x{prefix:x}"

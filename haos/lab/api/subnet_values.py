"""What the values of a subnet's attributes must be, each for itself and all together, by Neutron's rules."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import combinations
from typing import Any

from haos.lab.api.attributes import choice
from haos.lab.api.errors import ApiError, invalid, neutron
from haos.lab.api.routing import Doc
from haos.lab.model import Address, Network

MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")
ROUTE_KEYS = ("destination", "nexthop")
POOL_KEYS = ("start", "end")
AUTO_PREFIX = 64


def ip_version(name: str, value: Any) -> int:
    """Take 4 or 6."""
    number = int(value) if str(value).isdecimal() else value
    return int(choice(4, 6)(name, number))


def pools(name: str, value: Any) -> list[Doc] | None:
    """Take a list of allocation pools; null leaves them to Neutron."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise neutron("InvalidInput", error_message="Invalid data format for allocation pools")
    for pool in value:
        _check_keys(name, pool, POOL_KEYS)
        for key in POOL_KEYS:
            _address(name, pool[key])
    return value


def nameservers(name: str, value: Any) -> list[str]:
    """Take a list of different addresses; null is the empty list."""
    for number, item in enumerate(value or ()):
        try:
            ip_address(item)
        except ValueError:
            text = f"'{item}' is not a valid nameserver. '{item}' is not a valid IP address"
            raise invalid(name, text) from None
        if item in value[:number]:
            raise invalid(name, f"Duplicate nameserver '{item}'")
    return value or []


def routes(name: str, value: Any) -> list[Doc]:
    """Take a list of host routes; null is the empty list."""
    for route in value or ():
        _check_keys(name, route, ROUTE_KEYS)
        try:
            ip_network(route["destination"], strict=False)
        except ValueError:
            raise invalid(name, f"'{route['destination']}' is not a valid CIDR") from None
        _address(name, route["nexthop"])
    return value or []


def _check_keys(name: str, value: object, keys: Sequence[str]) -> None:
    given = value.keys() if isinstance(value, dict) else ()
    if set(given) != set(keys):
        text = f"Expected keys: {set(keys)} Provided keys: {set(given)}"
        raise invalid(name, f"Validation of dictionary's keys failed. {text}")


def _address(name: str, value: Any) -> Address:
    try:
        return ip_address(value)
    except ValueError:
        raise invalid(name, f"'{value}' is not a valid IP address") from None


def check_dhcp(cidr: Network) -> None:
    """Refuse networks on which DHCP makes no sense."""
    if cidr.prefixlen > cidr.max_prefixlen - 2:
        raise _input("Subnet has a prefix length that is incompatible with DHCP service enabled")
    for word, bad in (("Multicast", cidr.is_multicast), ("Loopback", cidr.is_loopback)):
        if bad:
            raise _input(f"{word} IP subnet is not supported if enable_dhcp is True")
    if isinstance(cidr, IPv4Network) and int(cidr.network_address) == 0:
        raise _input("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")


def check_modes(body: Doc, cidr: Network) -> None:
    """Refuse IPv6 modes that do not go with the rest, or with each other."""
    modes = {name: body[name] for name in ("ipv6_ra_mode", "ipv6_address_mode") if body.get(name)}
    if not modes:
        return
    if cidr.version == 4:
        raise _input(f"{next(iter(modes))} is not valid when ip_version is 4")
    if not body.get("enable_dhcp", True):
        raise _input("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if len(set(modes.values())) > 1:
        text = "ipv6_ra_mode set to '{ipv6_ra_mode}' with ipv6_address_mode set to '{ipv6_address_mode}' is not valid"
        raise _input(f"{text.format(**modes)}. If both attributes are set, they must be the same value")
    if "dhcpv6-stateful" not in modes.values() and cidr.prefixlen != AUTO_PREFIX:
        text = f"Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires"
        raise _input(f"{text} the prefix to be /{AUTO_PREFIX}")


def check_gateway(gateway: Address | None, cidr: Network) -> None:
    """Refuse a gateway of the other version, or at an end of an IPv4 network."""
    if gateway is None:
        return
    if gateway.version != cidr.version:
        raise _input(f"gateway_ip '{gateway}' does not match the ip_version '{cidr.version}'")
    if cidr.version == 4 and gateway in (cidr[0], cidr[-1]):
        raise _input("Gateway is not valid on subnet")


def check_pools(wanted: Sequence[Doc], cidr: Network, gateway: Address | None) -> None:
    """Refuse pools that leave the subnet, overlap or hold the gateway."""
    for pool in wanted:
        start, end, text = _range(pool, cidr)
        if start < _usable(cidr)[0] or end > _usable(cidr)[1]:
            raise neutron("OutOfBoundsAllocationPool", pool=text, subnet_cidr=cidr)
    for one, another in combinations(wanted, 2):
        (low, high, first), (start, end, second) = _range(one, cidr), _range(another, cidr)
        if start <= high and low <= end:
            raise neutron("OverlappingAllocationPools", pool_1=first, pool_2=second, subnet_cidr=cidr)
    for pool in wanted:
        start, end, text = _range(pool, cidr)
        if gateway is not None and start <= int(gateway) <= end:
            raise neutron("GatewayConflictWithAllocationPools", ip_address=gateway, pool=text)


def _range(pool: Doc, cidr: Network) -> tuple[int, int, str]:
    start, end = ip_address(pool["start"]), ip_address(pool["end"])
    if int(start) > int(end):
        raise neutron("InvalidAllocationPool", pool=pool)
    text = f"{start}-{end}"
    if {start.version, end.version} != {cidr.version}:
        raise neutron("InvalidAllocationPool", pool=text)
    return int(start), int(end), text


def _usable(cidr: Network) -> tuple[int, int]:
    if isinstance(cidr, IPv4Network):
        cut = 1 if cidr.prefixlen <= cidr.max_prefixlen - 2 else 0
        return int(cidr[0]) + cut, int(cidr[-1]) - cut
    return int(cidr[0]) + 1, int(cidr[-1])


def _input(text: str) -> ApiError:
    return neutron("InvalidInput", error_message=text)

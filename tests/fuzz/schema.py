"""An oracle: what OpenStack's API reference says of the bodies that haos reads, types and which fields must be there.

Written from the reference, not from the code: a shape says of a value whether it is what belongs in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from tests.fuzz.bodies import GONE

Shape = Callable[[Any], bool]


def need(shape: Shape) -> Shape:
    return lambda value: value != GONE and shape(value)


def may(shape: Shape) -> Shape:
    """Missing and null are fine too."""
    return lambda value: value == GONE or value is None or shape(value)


def text(value: Any) -> bool:
    return isinstance(value, str)


def word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def uuid(value: Any) -> bool:
    return isinstance(value, str) and _is(UUID, value)


def number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def flag(value: Any) -> bool:
    return value == GONE or isinstance(value, bool)


def address(value: Any) -> bool:
    return isinstance(value, str) and _is(ip_address, value)


def network(value: Any) -> bool:
    return isinstance(value, str) and _is(ip_network, value)


def loose_network(value: Any) -> bool:
    return isinstance(value, str) and _is(lambda one: ip_network(one, strict=False), value)


def mac(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", value.lower()) is not None


def one_of(*values: str) -> Shape:
    return lambda value: value in values


def many(shape: Shape) -> Shape:
    return lambda value: isinstance(value, list) and all(shape(one) for one in value)


def thing(**shapes: Shape) -> Shape:
    """An object with these fields; "__" stands for ":" and "-"."""
    return lambda value: (
        isinstance(value, dict) and all(shape(value.get(name, GONE)) for name, shape in shapes.items())
    )


def either(one: Shape, other: Shape) -> Shape:
    return lambda value: one(value) or other(value)


def _is(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _pool_within(subnet: Any) -> bool:
    """Every pool goes from a lower to a higher address of the subnet's IP version."""
    version = ip_network(subnet["cidr"]).version
    for pool in subnet["allocation_pools"]:
        first, last = ip_address(pool["start"]), ip_address(pool["end"])
        if (first.version, last.version) != (version, version) or int(first) > int(last):
            return False
    return True


NAMED = {"id": need(word), "name": may(text), "project_id": may(text)}
NETWORK = thing(
    **NAMED,
    shared=flag,
    port_security_enabled=flag,
    mtu=may(number),
    **{"router:external": flag},
)
_SUBNET = thing(
    id=need(word),
    name=may(text),
    network_id=need(word),
    cidr=need(network),
    gateway_ip=either(lambda value: value is None or value == "", need(address)),
    allocation_pools=need(many(thing(start=need(address), end=need(address)))),
    dns_nameservers=need(many(address)),
    host_routes=need(many(thing(nexthop=need(address)))),
    ipv6_address_mode=may(text),
)
PORT = thing(
    **{**NAMED, "id": need(uuid)},  # every resource's is one; of a port's haos's record depends on it
    network_id=need(word),
    mac_address=need(mac),
    fixed_ips=need(many(thing(ip_address=need(address), subnet_id=need(word)))),
    device_id=may(text),
    device_owner=may(text),
    description=may(text),
    allowed_address_pairs=need(many(thing(ip_address=need(loose_network), mac_address=may(mac)))),
    security_groups=need(many(text)),
    port_security_enabled=flag,
    admin_state_up=flag,
    revision_number=may(number),
    tags=may(many(text)),
)
ROUTER = thing(id=need(word), name=may(text), external_gateway_info=may(thing(network_id=may(text))))
FLOATING = thing(
    id=need(word),
    floating_ip_address=need(address),
    floating_network_id=need(word),
    port_id=may(text),
    status=may(text),
    description=may(text),
    router_id=may(text),
    port_forwardings=may(many(lambda value: isinstance(value, dict))),
    revision_number=may(number),
)
_ENTRY = thing(addr=need(address), **{"OS-EXT-IPS:type": may(text)})
INSTANCE = thing(
    id=need(word),
    name=may(text),
    status=may(text),
    tenant_id=may(text),
    hostId=may(text),
    tags=may(many(text)),
    addresses=may(lambda value: isinstance(value, dict) and all(many(_ENTRY)(one) for one in value.values())),
)
RULE = thing(
    id=need(word),
    direction=need(one_of("ingress", "egress")),
    ethertype=need(one_of("IPv4", "IPv6")),
    protocol=may(either(text, number)),
    port_range_min=may(number),
    port_range_max=may(number),
    remote_ip_prefix=may(loose_network),
    remote_group_id=may(text),
    remote_address_group_id=may(text),
)
GROUP = thing(**NAMED, description=may(text), security_group_rules=need(many(RULE)))


def SUBNET(value: Any) -> bool:
    return _SUBNET(value) and _pool_within(value)

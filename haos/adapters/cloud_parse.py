"""Neutron's and Nova's JSON to haos's values, and back, as pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from haos.adapters.cloud_fields import Fields
from haos.adapters.cloud_fields import part as part
from haos.adapters.cloud_fields import parts as parts
from haos.core.bodies import amended as amended
from haos.core.bodies import association_body as association_body
from haos.core.bodies import floating_body as floating_body
from haos.core.bodies import reservation_body as reservation_body
from haos.core.bodies import rule_body as rule_body
from haos.core.model import (
    AddressPair,
    CloudNetwork,
    FixedIp,
    FloatingIp,
    Instance,
    Network,
    Pool,
    Port,
    Quota,
    Router,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from haos.workflow.context import Reservation

Json = Mapping[str, Any]


def network(body: Json) -> CloudNetwork:
    """Parse a network."""
    fields = Fields(body, "network")
    return CloudNetwork(
        id=fields.text("id"),
        name=fields.text("name", "") or fields.text("id"),
        project_id=_project(fields),
        shared=fields.flag("shared", False),
        port_security=fields.flag("port_security_enabled", True),
        mtu=fields.number("mtu", 0) or 1500,
        external=fields.flag("router:external", False),
    )


def subnet(body: Json) -> Subnet:
    """Parse a subnet; what keeps an address from being free must have been told."""
    fields = Fields(body, "subnet")
    cidr = fields.network("cidr")
    return Subnet(
        id=fields.text("id"),
        name=fields.text("name", ""),
        network_id=fields.text("network_id"),
        cidr=cidr,
        gateway=fields.address_or_none("gateway_ip"),
        pools=tuple(_pool(item, cidr) for item in fields.items("allocation_pools")),
        dns=fields.addresses("dns_nameservers"),
        next_hops=tuple(route.address("nexthop") for route in fields.items("host_routes")),
        ipv6_address_mode=fields.text_or_none("ipv6_address_mode"),
    )


def _pool(fields: Fields, cidr: Network) -> Pool:
    pool = Pool(fields.address("start"), fields.address("end"))
    if {pool.first.version, pool.last.version} != {cidr.version} or int(pool.first) > int(pool.last):
        raise fields.wrong("", f"is from {pool.first} to {pool.last}")
    return pool


def port(body: Json) -> Port:
    """Parse a port; a pair keeps the cloud's spelling."""
    fields = Fields(body, "port")
    mac = fields.mac("mac_address").lower()
    return Port(
        id=fields.uuid("id"),  # a record spells it by its bytes
        network_id=fields.text("network_id"),
        project_id=_project(fields),
        mac=mac,
        fixed_ips=tuple(
            FixedIp(fixed.address("ip_address"), fixed.text("subnet_id")) for fixed in fields.items("fixed_ips")
        ),
        name=fields.text("name", ""),
        device_id=fields.text("device_id", ""),
        device_owner=fields.text("device_owner", ""),
        description=fields.text("description", ""),
        pairs=tuple(_pair(item, mac) for item in fields.items("allowed_address_pairs")),
        group_ids=fields.texts("security_groups"),
        port_security=fields.flag("port_security_enabled", True),
        admin_up=fields.flag("admin_state_up", True),
        revision=fields.number_or_none("revision_number"),
        tags=fields.texts("tags", []),
    )


def _pair(fields: Fields, port_mac: str) -> AddressPair:
    fields.network("ip_address", strict=False)
    return AddressPair(fields.text("ip_address"), fields.mac("mac_address", port_mac))


def router(body: Json) -> Router:
    """Parse a router."""
    fields = Fields(body, "router")
    gateway = fields.mapping("external_gateway_info")
    network_id = gateway.text_or_none("network_id") if gateway else None
    return Router(fields.text("id"), fields.text("name", "") or fields.text("id"), network_id)


def floating_ip(body: Json) -> FloatingIp:
    """Parse a floating IP."""
    fields = Fields(body, "floating IP")
    return FloatingIp(
        id=fields.text("id"),
        address=fields.address("floating_ip_address"),
        network_id=fields.text("floating_network_id"),
        port_id=fields.text_or_none("port_id"),
        status=fields.text("status", ""),
        description=fields.text("description", ""),
        router_id=fields.text_or_none("router_id"),
        forwards=fields.has("port_forwardings") and bool(fields.items("port_forwardings")),
        revision=fields.number_or_none("revision_number"),
    )


def instance(body: Json) -> Instance:
    """Parse a server of /servers/detail."""
    fields = Fields(body, "instance")
    networks = fields.mapping("addresses")
    entries = [(_kind(entry), entry.address("addr")) for entry in (networks.lists() if networks else ())]
    return Instance(
        id=fields.text("id"),
        name=fields.text("name", "") or fields.text("id"),
        status=fields.text("status", "") or "UNKNOWN",
        project_id=_project(fields),
        host_id=fields.text("hostId", ""),
        tags=fields.texts("tags", []),
        fixed=tuple(address for kind, address in entries if kind == "fixed"),
        floating=tuple(address for kind, address in entries if kind == "floating"),
    )


def group(body: Json) -> SecurityGroup:
    """Parse a security group with its rules."""
    fields = Fields(body, "security group")
    return SecurityGroup(
        id=fields.text("id"),
        name=fields.text("name", ""),
        project_id=_project(fields),
        description=fields.text("description", ""),
        rules=tuple(_rule(item) for item in fields.items("security_group_rules")),
    )


def rule(body: Json) -> SecurityRule:
    """Parse a security-group rule."""
    return _rule(Fields(body, "rule"))


def _rule(fields: Fields) -> SecurityRule:
    return SecurityRule(
        direction=fields.choice("direction", "ingress", "egress"),
        version=int(fields.choice("ethertype", "IPv4", "IPv6")[-1]),
        protocol=fields.word_or_none("protocol"),
        port_min=fields.number_or_none("port_range_min"),
        port_max=fields.number_or_none("port_range_max"),
        remote_ip=fields.network("remote_ip_prefix", strict=False) if fields.has("remote_ip_prefix") else None,
        remote_group_id=fields.text_or_none("remote_group_id"),
        remote_address_group_id=fields.text_or_none("remote_address_group_id"),
        id=fields.text("id"),
    )


def quota(body: Json) -> Quota:
    """Parse /quotas/{project}/details.json."""
    fields = Fields(body, "quota")

    def left(resource: str) -> int | None:
        detail = fields.mapping(resource)
        limit = detail.number("limit", -1) if detail else -1
        if detail is None or limit < 0:
            return None
        return max(0, limit - detail.number("used", 0) - detail.number("reserved", 0))

    return Quota(left("port"), left("security_group"), left("security_group_rule"), left("floatingip"))


def holds(port: Port, wanted: Reservation) -> bool:
    """Say whether a reservation port is what was asked for, in every part."""
    addresses = [fixed.address for fixed in port.fixed_ips]
    mac = wanted.mac.lower() if wanted.mac else port.mac
    return (port.network_id, port.device_id, port.description, port.mac, addresses) == (
        wanted.network_id,
        wanted.device_id,
        wanted.description,
        mac,
        [wanted.address],
    )


def name_filter(names: Sequence[str]) -> str:
    """Return a regular expression for Nova's name filter that matches these names, and perhaps others.

    It is the database that reads it. On MySQL Nova escapes every "|", so alternatives are spelled as a class of
    characters at each position; what is not a plain character is any, since databases escape it differently.
    """
    if not all(name.isascii() for name in names):
        return "^.*$"  # old databases compare bytes
    classes = "".join(_one_of(set(column)) for column in zip(*names, strict=False))
    return f"^{classes}{'' if len(set(map(len, names))) == 1 else '.*'}$"


def _one_of(characters: set[str]) -> str:
    if not all(re.fullmatch(r"\w", character) for character in characters):
        return "."
    return characters.pop() if len(characters) == 1 else f"[{''.join(sorted(characters))}]"


def _project(fields: Fields) -> str:
    return fields.text("project_id", "") or fields.text("tenant_id", "")


def _kind(entry: Fields) -> str:
    return entry.text("OS-EXT-IPS:type", "fixed")

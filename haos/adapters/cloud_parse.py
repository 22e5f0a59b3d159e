"""Neutron's and Nova's JSON to haos's values, and back, as pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from haos.core.bodies import amended as amended
from haos.core.bodies import association_body as association_body
from haos.core.bodies import floating_body as floating_body
from haos.core.bodies import reservation_body as reservation_body
from haos.core.bodies import rule_body as rule_body
from haos.core.model import (
    Address,
    AddressPair,
    CloudNetwork,
    FixedIp,
    FloatingIp,
    Instance,
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
    return CloudNetwork(
        id=body["id"],
        name=body.get("name") or body["id"],
        project_id=_project(body),
        shared=bool(body.get("shared")),
        port_security=body.get("port_security_enabled", True),
        mtu=body.get("mtu") or 1500,
        external=bool(body.get("router:external")),
    )


def subnet(body: Json) -> Subnet:
    """Parse a subnet."""
    return Subnet(
        id=body["id"],
        name=body.get("name") or "",
        network_id=body["network_id"],
        cidr=ip_network(body["cidr"]),
        gateway=ip_address(body["gateway_ip"]) if body.get("gateway_ip") else None,
        pools=tuple(
            Pool(ip_address(pool["start"]), ip_address(pool["end"])) for pool in body.get("allocation_pools") or ()
        ),
        dns=_addresses(body.get("dns_nameservers") or ()),
        next_hops=_addresses(route["nexthop"] for route in body.get("host_routes") or ()),
        ipv6_address_mode=body.get("ipv6_address_mode"),
    )


def port(body: Json) -> Port:
    """Parse a port; a pair keeps the cloud's spelling."""
    return Port(
        id=body["id"],
        network_id=body["network_id"],
        project_id=_project(body),
        mac=body["mac_address"].lower(),
        fixed_ips=tuple(
            FixedIp(ip_address(fixed["ip_address"]), fixed["subnet_id"]) for fixed in body.get("fixed_ips") or ()
        ),
        name=body.get("name") or "",
        device_id=body.get("device_id") or "",
        device_owner=body.get("device_owner") or "",
        description=body.get("description") or "",
        pairs=tuple(
            AddressPair(pair["ip_address"], pair.get("mac_address") or body["mac_address"])
            for pair in body.get("allowed_address_pairs") or ()
        ),
        group_ids=tuple(body.get("security_groups") or ()),
        port_security=body.get("port_security_enabled", True),
        admin_up=body.get("admin_state_up", True),
        revision=body.get("revision_number"),
        tags=tuple(body.get("tags") or ()),
    )


def router(body: Json) -> Router:
    """Parse a router."""
    gateway = body.get("external_gateway_info") or {}
    return Router(body["id"], body.get("name") or body["id"], gateway.get("network_id"))


def floating_ip(body: Json) -> FloatingIp:
    """Parse a floating IP."""
    return FloatingIp(
        id=body["id"],
        address=ip_address(body["floating_ip_address"]),
        network_id=body["floating_network_id"],
        port_id=body.get("port_id") or None,
        status=body.get("status") or "",
        description=body.get("description") or "",
        router_id=body.get("router_id") or None,
        forwards=bool(body.get("port_forwardings")),
        revision=body.get("revision_number"),
    )


def instance(body: Json) -> Instance:
    """Parse a server of /servers/detail."""
    entries = [entry for network in (body.get("addresses") or {}).values() for entry in network]
    kinds = {kind: [entry["addr"] for entry in entries if _kind(entry) == kind] for kind in ("fixed", "floating")}
    return Instance(
        id=body["id"],
        name=body.get("name") or body["id"],
        status=body.get("status") or "UNKNOWN",
        project_id=_project(body),
        host_id=body.get("hostId") or "",
        tags=tuple(body.get("tags") or ()),
        fixed=_addresses(kinds["fixed"]),
        floating=_addresses(kinds["floating"]),
    )


def group(body: Json) -> SecurityGroup:
    """Parse a security group with its rules."""
    return SecurityGroup(
        id=body["id"],
        name=body.get("name") or "",
        project_id=_project(body),
        description=body.get("description") or "",
        rules=tuple(rule(item) for item in body.get("security_group_rules") or ()),
    )


def rule(body: Json) -> SecurityRule:
    """Parse a security-group rule."""
    remote = body.get("remote_ip_prefix")
    return SecurityRule(
        direction=body["direction"],
        version=6 if body.get("ethertype") == "IPv6" else 4,
        protocol=str(body["protocol"]) if body.get("protocol") is not None else None,
        port_min=body.get("port_range_min"),
        port_max=body.get("port_range_max"),
        remote_ip=ip_network(remote, strict=False) if remote else None,
        remote_group_id=body.get("remote_group_id"),
        remote_address_group_id=body.get("remote_address_group_id"),
        id=body.get("id", ""),
    )


def quota(body: Json) -> Quota:
    """Parse /quotas/{project}/details.json."""

    def left(resource: str) -> int | None:
        detail = body.get(resource)
        if not isinstance(detail, Mapping) or detail.get("limit", -1) < 0:
            return None
        return max(0, int(detail["limit"]) - int(detail.get("used", 0)) - int(detail.get("reserved", 0)))

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


def _project(body: Json) -> str:
    return str(body.get("project_id") or body.get("tenant_id") or "")


def _kind(entry: Json) -> str:
    return str(entry.get("OS-EXT-IPS:type", "fixed"))


def _addresses(texts: Iterable[str]) -> tuple[Address, ...]:
    return tuple(ip_address(text) for text in texts)

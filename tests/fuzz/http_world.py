"""A world as OpenStack's APIs show it over HTTP, for reading: what haos really parses, with one answer spoilt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests_mock

from haos.core.model import FloatingIp, Instance, Port, SecurityGroup, SecurityRule
from tests.adapters.cloud_double import NEUTRON, NOVA, fixture
from tests.fakes import World

Spoil = Callable[[str, Any], Any]
"""Given the path and the right answer, returns the one to give."""
Body = dict[str, Any]
TEMPLATE: dict[str, Body] = {
    "port": fixture("neutron/ports")["ports"][0],
    "network": fixture("neutron/networks")["networks"][0],
    "subnet": fixture("neutron/subnets")["subnets"][0],
    "server": fixture("nova/servers")["servers"][0],
    "group": fixture("neutron/security-groups")["security_groups"][0],
}


def port_body(port: Port) -> Body:
    """Spell a port as Neutron does."""
    return {
        **TEMPLATE["port"],
        "id": port.id,
        "name": port.name,
        "network_id": port.network_id,
        "project_id": port.project_id,
        "mac_address": port.mac,
        "fixed_ips": [{"ip_address": str(one.address), "subnet_id": one.subnet_id} for one in port.fixed_ips],
        "allowed_address_pairs": [
            {"ip_address": one.ip_address, "mac_address": one.mac_address} for one in port.pairs
        ],
        "security_groups": list(port.group_ids),
        "device_id": port.device_id,
        "device_owner": port.device_owner,
        "description": port.description,
        "port_security_enabled": port.port_security,
        "admin_state_up": port.admin_up,
        "revision_number": port.revision or 1,
        "tags": list(port.tags),
    }


def _rule_body(rule: SecurityRule, number: int) -> Body:
    return {
        **TEMPLATE["group"]["security_group_rules"][0],
        "id": rule.id or f"rule-{number}",
        "direction": rule.direction,
        "ethertype": f"IPv{rule.version}",
        "protocol": rule.protocol,
        "port_range_min": rule.port_min,
        "port_range_max": rule.port_max,
        "remote_ip_prefix": str(rule.remote_ip) if rule.remote_ip else None,
        "remote_group_id": rule.remote_group_id,
    }


def _group_body(group: SecurityGroup) -> Body:
    rules = [_rule_body(rule, number) for number, rule in enumerate(group.rules)]
    return {
        **TEMPLATE["group"],
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "security_group_rules": rules,
    }


def _server_body(server: Instance) -> Body:
    entries = [{"addr": str(one), "version": 4, "OS-EXT-IPS:type": "fixed"} for one in server.fixed]
    return {
        **TEMPLATE["server"],
        "id": server.id,
        "name": server.name,
        "status": server.status,
        "tenant_id": server.project_id,
        "hostId": server.host_id,
        "tags": list(server.tags),
        "addresses": {"ha_lab": entries},
    }


def _floating_body(one: FloatingIp) -> Body:
    return {
        "id": one.id,
        "floating_ip_address": str(one.address),
        "floating_network_id": one.network_id,
        "port_id": one.port_id,
        "status": one.status,
        "description": one.description,
        "router_id": one.router_id,
        "port_forwardings": [],
        "revision_number": one.revision,
    }


def _networks(world: World) -> list[Body]:
    return [
        {**TEMPLATE["network"], "id": one.id, "name": one.name, "router:external": one.external}
        for one in world.networks.values()
    ]


def _subnets(world: World) -> list[Body]:
    return [
        {**TEMPLATE["subnet"], "id": one.id, "name": one.name, "network_id": one.network_id}
        for one in world.subnets.values()
    ]


LISTS: dict[str, tuple[str, Callable[[World], Iterable[Body]]]] = {
    "/networks": ("networks", _networks),
    "/subnets": ("subnets", _subnets),
    "/ports": ("ports", lambda world: map(port_body, world.ports.values())),
    "/security-groups": ("security_groups", lambda world: map(_group_body, world.groups.values())),
    "/floatingips": ("floatingips", lambda world: map(_floating_body, world.floating.values())),
    "/routers": (
        "routers",
        lambda world: (
            {"id": one.id, "name": one.name, "external_gateway_info": {"network_id": one.gateway_network_id}}
            for one in world.routers.values()
        ),
    ),
    "/servers/detail": ("servers", lambda world: map(_server_body, world.instances.values())),
}
FILTERS = ("id", "name", "network_id", "device_owner", "device_id")


def answer(world: World, path: str, query: dict[str, list[str]]) -> Any:
    """Return what the APIs answer to a GET."""
    if path == "/extensions":
        return fixture("neutron/extensions")
    if path.startswith("/quotas/"):
        return fixture("neutron/quota")
    if path in LISTS:
        key, bodies = LISTS[path]
        found = list(bodies(world))
        if path == "/servers/detail":
            pattern = query.get("name", ["."])[0]
            tags = query.get("tags")
            found = [one for one in found if re.search(pattern, one["name"]) and (not tags or tags[0] in one["tags"])]
        else:
            found = [one for one in found if all(one.get(name) in query[name] for name in FILTERS if name in query)]
        return {key: found}
    kind, _, wanted = path.removeprefix("/").partition("/")
    key, bodies = LISTS["/servers/detail" if kind == "servers" else f"/{kind}"]
    return {key.removesuffix("s"): next(one for one in bodies(world) if one["id"] == wanted)}


def serve(mock: requests_mock.Mocker, world: World, spoil: Spoil) -> None:
    """Answer every GET, each answer by way of `spoil`, as JSON; a str is given as it is."""

    def give(request: Any, context: Any) -> str:
        base = NOVA if request.url.startswith(NOVA) else NEUTRON
        path = urlsplit(request.url).path.removeprefix(urlsplit(base).path)
        given = spoil(path, answer(world, path, parse_qs(urlsplit(request.url).query)))
        context.headers["Content-Type"] = "application/json"
        return given if isinstance(given, str) else json.dumps(given)

    for base in (NEUTRON, NOVA):
        mock.get(re.compile(re.escape(base)), text=give)

"""Neutron's default policies: who may do what, and the rule that a 403 names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.routing import Caller, Doc

ENFORCED = {
    "port": (
        "mac_address",
        "fixed_ips",
        "device_id",
        "device_owner",
        "port_security_enabled",
        "allowed_address_pairs",
        "binding:vnic_type",
        "binding:host_id",
        "binding:profile",
    ),
    "network": (
        "shared",
        "router:external",
        "is_default",
        "port_security_enabled",
        "provider:network_type",
        "provider:physical_network",
        "provider:segmentation_id",
    ),
    "router": ("external_gateway_info", "ha"),
    "floatingip": ("floating_ip_address",),
}
"""Attributes with a policy of their own, in the order in which Neutron checks them."""

DEFAULTS: dict[str, dict[str, object]] = {
    "port": {"device_id": "", "device_owner": ""},
    "network": {"shared": False, "router:external": False, "is_default": False, "port_security_enabled": True},
}
"""What an attribute is set to anyway; saying so needs no permission at creation."""
ADMINS = frozenset(
    {
        "shared",
        "router:external",
        "is_default",
        "provider:network_type",
        "provider:physical_network",
        "provider:segmentation_id",
    }
)
"""Attributes of a network that admins alone may set."""


def rule_text(action: str, body: Mapping[str, Any]) -> str:
    """Write the rule that Neutron checked for an action with this body, as its 403 shows it."""
    verb, _, singular = action.partition("_")
    text = f"rule:{action}"
    for name in ENFORCED.get(singular, ()):
        if name not in body or (verb == "create" and body[name] == DEFAULTS.get(singular, {}).get(name, ...)):
            continue
        part = f"rule:{action}:{name}"
        value = body[name]
        keys = [key for item in value for key in item] if isinstance(value, list) else []
        keys = list(value) if name == "external_gateway_info" and value else keys
        if keys:
            inner = " and ".join(f"rule:{action}:{name}:{key}" for key in keys)
            part = f"({part} and ({inner}))"
        text = f"({text} and {part})"
    return text


def forbidden(action: str, body: Mapping[str, Any]) -> ApiError:
    """Make the 403 for an action."""
    return neutron("PolicyNotAuthorized", rule=rule_text(action, body))


def sees_network(caller: Caller, network: Doc) -> bool:
    """Say whether a network is the caller's, shared or external."""
    return _own(caller, network) or network["shared"] or network["router:external"]


def sees_subnet(caller: Caller, subnet: Doc, network: Doc) -> bool:
    """Say whether a subnet is the caller's or of a network that the caller sees."""
    return _own(caller, subnet) or sees_network(caller, network)


def sees_port(caller: Caller, port: Doc, network: Doc) -> bool:
    """Say whether a port is the caller's or sits on the caller's network."""
    return _own(caller, port) or _own(caller, network)


def check_write(caller: Caller, action: str, body: Mapping[str, Any]) -> None:
    """Let members and admins write, readers not."""
    if not caller.writer:
        raise forbidden(action, body)


def check_port(caller: Caller, action: str, body: Mapping[str, Any], network: Doc, port: Doc | None = None) -> None:
    """Check the creation or change of a port, attribute by attribute."""
    if caller.admin:
        return
    owner = caller.project_id == network["project_id"]
    allowed = caller.writer
    if action == "update_port":
        allowed = allowed and port is not None and port["project_id"] == caller.project_id
    elif action == "create_port":
        check_ground(caller, "port", network)
    if not allowed or not all(_may_set(action, name, value, owner=owner) for name, value in body.items()):
        raise forbidden(action, body)


def _may_set(action: str, name: str, value: Any, *, owner: bool) -> bool:
    if name in ("binding:host_id", "binding:profile"):
        return False
    if name == "mac_address":
        return owner and action == "create_port"
    if name in ("allowed_address_pairs", "port_security_enabled"):
        return owner
    if name == "device_owner":
        return owner or not str(value).startswith("network:")
    if name == "fixed_ips":
        if action == "create_port":
            return owner or not any("ip_address" in item for item in value or ())
        return owner
    return True


def check_ground(caller: Caller, singular: str, network: Doc) -> None:
    """Keep ports and subnets off others' networks that are seen and not shared: the external ones."""
    if not _own(caller, network) and not network["shared"]:
        text = f"Tenant {caller.project_id} not allowed to create {singular} on this network"
        raise neutron("HTTPForbidden", msg=text)


def check_delete_port(caller: Caller, port: Doc, network: Doc) -> None:
    """Let the port's own project and the network's delete a port."""
    if not caller.writer or not sees_port(caller, port, network):
        raise forbidden("delete_port", {})


def check_network(caller: Caller, action: str, body: Mapping[str, Any], network: Doc | None = None) -> None:
    """Keep others' networks, and sharing, from members."""
    own = network is None or _own(caller, network)
    reserved = any(body.get(name) for name in ADMINS)
    if not caller.writer or not own or (reserved and not caller.admin):
        raise forbidden(action, body)


def check_router(caller: Caller, action: str, body: Mapping[str, Any]) -> None:
    """Let members choose the network of a router's gateway, and no more of it."""
    more = set(body.get("external_gateway_info") or ()) - {"network_id"}
    if not caller.writer or (not caller.admin and (more or "ha" in body)):
        raise forbidden(action, body)


def _own(caller: Caller, doc: Doc) -> bool:
    return caller.admin or doc["project_id"] == caller.project_id

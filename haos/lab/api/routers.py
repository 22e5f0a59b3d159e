"""Neutron routers: their gateways and interfaces, and which one carries a floating IP."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from haos.lab.api import policy
from haos.lab.api.attributes import boolean, uuid
from haos.lab.api.collection import STANDARD, Collection, Kind
from haos.lab.api.errors import ApiError, invalid, neutron
from haos.lab.api.ipam import Allocator
from haos.lab.api.listing import NAMED, TAG_FILTERS
from haos.lab.api.ports import blank_port, random_mac
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store

GATEWAY, INTERFACE = "network:router_gateway", "network:router_interface"


def gateway_info(name: str, value: Any) -> Doc | None:
    """Take what says which network a router's gateway is on; nothing or null is no gateway."""
    if not value:
        return None
    if not isinstance(value, dict) or "network_id" not in value:
        raise invalid(name, "network_id is required")
    return {**value, "network_id": uuid(name, value["network_id"])}


KIND = Kind(
    table="routers",
    singular="router",
    not_found="RouterNotFound",
    post=STANDARD | {"admin_state_up", "availability_zone_hints", "external_gateway_info", "ha"},
    put=frozenset({"admin_state_up", "external_gateway_info", "ha"}),
    filters=NAMED | TAG_FILTERS | {"admin_state_up"},
    sort_keys=NAMED | {"admin_state_up", "status"},
    converters={"admin_state_up": boolean, "external_gateway_info": gateway_info},
)


class Routers(Collection):
    """Routers; what is plugged into them is the business of `RouterInterfaces`."""

    kind = KIND

    def make(self, caller: Caller, body: Doc) -> Doc:
        policy.check_router(caller, "create_router", body)
        info = body.pop("external_gateway_info", None)
        router = self.store.add("routers", {**blank_router(), **body})
        return self._regated(caller, router, info)

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        policy.check_router(caller, "update_router", body)
        if "external_gateway_info" in body:
            doc = self._regated(caller, doc, body.pop("external_gateway_info"))
        return super().change(caller, doc, body)

    def remove(self, caller: Caller, doc: Doc) -> None:
        policy.check_write(caller, "delete_router", {})
        used = ", ".join(
            port["id"] for port in self.store.where("ports", device_id=doc["id"], device_owner=INTERFACE)
        )
        if used:
            raise neutron("RouterInUse", router_id=doc["id"], reason=f"has ports still attached: {used}")
        self._ungated(doc)
        self.store.drop("routers", doc["id"])

    def _regated(self, caller: Caller, router: Doc, info: Doc | None) -> Doc:
        known = router["external_gateway_info"]
        if (info or {}).get("network_id") == (known or {}).get("network_id"):
            return router
        network = self._external(caller, info["network_id"]) if info else None
        self._ungated(router)
        shown = None
        if network is not None:
            port = trusted_port(self.store, network, GATEWAY, router["id"], project_id="")
            shown = {"network_id": network["id"], "enable_snat": True, "external_fixed_ips": port["fixed_ips"]}
        return self.store.change("routers", router["id"], external_gateway_info=shown)

    def _external(self, caller: Caller, network_id: str) -> Doc:
        network = self.store.get("networks", network_id)
        if network is None or not policy.sees_network(caller, network):
            raise neutron("NetworkNotFound", id=network_id)
        if not network["router:external"]:
            raise refusal(f"Network {network_id} is not an external network")
        return network

    def _ungated(self, router: Doc) -> None:
        for port in self.store.where("ports", device_id=router["id"], device_owner=GATEWAY):
            if self.store.where("floatingips", router_id=router["id"], floating_network_id=port["network_id"]):
                words = {"router_id": router["id"], "net_id": port["network_id"]}
                raise neutron("RouterExternalGatewayInUseByFloatingIp", **words)
            self.store.drop("ports", port["id"])


def refusal(text: str) -> ApiError:
    """Make the 400 of a request about a router."""
    return neutron("BadRequest", resource="router", msg=text)


def trusted_port(
    store: Store, network: Doc, owner: str, router_id: str, *, project_id: str, address: str | None = None
) -> Doc:
    """Make a port of a router on a network, with this address or any."""
    mac = random_mac()
    allocator = Allocator(store, network, mac=mac, owner=owner)
    fixed_ips = allocator.requested([{"ip_address": address}], complete=False) if address else allocator.automatic()
    doc = {
        **blank_port(),
        "network_id": network["id"],
        "project_id": project_id,
        "mac_address": mac,
        "device_owner": owner,
        "device_id": router_id,
        "fixed_ips": fixed_ips,
        "port_security_enabled": False,
    }
    return store.add("ports", doc)


def inside_ports(store: Store, router_id: str, subnet_id: str) -> Iterator[Doc]:
    """Yield the router's ports on a subnet."""
    for port in store.where("ports", device_id=router_id, device_owner=INTERFACE):
        if any(item["subnet_id"] == subnet_id for item in port["fixed_ips"]):
            yield port


def router_between(store: Store, subnet_id: str, external_id: str) -> str | None:
    """Return the router that joins a subnet to an external network."""
    for gateway in store.where("ports", network_id=external_id, device_owner=GATEWAY):
        if any(inside_ports(store, gateway["device_id"], subnet_id)):
            return str(gateway["device_id"])
    return None


def blank_router() -> Doc:
    """Return what every router has, with Neutron's defaults."""
    return {
        "name": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "external_gateway_info": None,
        "routes": [],
        "availability_zone_hints": [],
        "availability_zones": [],
        "flavor_id": None,
        "tags": [],
    }


def check_overlap(store: Store, router_id: str, subnet: Doc) -> None:
    """Refuse a subnet that shares addresses with one that the router has already."""
    new = ip_network(subnet["cidr"])
    for port in store.where("ports", device_id=router_id, device_owner=INTERFACE):
        for item in port["fixed_ips"]:
            known = store.get("subnets", item["subnet_id"]) or {}
            cidr = ip_network(known["cidr"])
            if cidr.version == new.version and int(cidr[0]) <= int(new[-1]) and int(new[0]) <= int(cidr[-1]):
                there = f"overlaps with cidr {cidr} of subnet {known['id']}"
                raise refusal(f"Cidr {new} of subnet {subnet['id']} {there}")

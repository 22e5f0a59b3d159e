"""Neutron routers, as far as a project looks at them, and which one carries a floating IP."""

from __future__ import annotations

from haos.lab.api.collection import Collection, Kind
from haos.lab.api.routing import Doc, Route
from haos.lab.api.store import Store

KIND = Kind(
    table="routers",
    singular="router",
    not_found="RouterNotFound",
    filters=frozenset({"admin_state_up", "status"}),
)


class Routers(Collection):
    """Routers: listed and shown; the lab makes them."""

    kind = KIND

    def routes(self) -> list[Route]:
        return [route for route in super().routes() if route.method == "GET"]


def router_between(store: Store, subnet_id: str, external_id: str) -> str | None:
    """Return the router that joins a subnet to an external network."""
    gateways = {
        port["device_id"]
        for port in store.where("ports", network_id=external_id, device_owner="network:router_gateway")
    }
    for port in store.where("ports", device_owner="network:router_interface"):
        inside = any(item["subnet_id"] == subnet_id for item in port["fixed_ips"])
        if inside and port["device_id"] in gateways:
            return str(port["device_id"])
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

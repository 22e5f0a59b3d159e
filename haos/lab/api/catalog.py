"""The catalog: which services there are, and where."""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from haos.lab.api.routing import Call, Doc

REGION = "RegionOne"
SERVICES = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("network", "neutron", "/network"),
    ("image", "glance", "/image"),
)
INTERFACES = ("public", "internal", "admin")


def base_of(call: Call) -> str:
    """Return the address by which the client reaches this cloud."""
    return f"http://{call.request.headers.get('host', '')}"


def catalog(call: Call) -> list[Doc]:
    """List every service with its endpoints."""
    return [
        {
            "id": fixed_id(name),
            "type": kind,
            "name": name,
            "endpoints": [_endpoint(call, name, interface, path) for interface in INTERFACES],
        }
        for kind, name, path in SERVICES
    ]


def fixed_id(*words: str) -> str:
    """Return an id as Keystone gives them, the same for the same words."""
    return uuid5(NAMESPACE_URL, "/".join(words)).hex


def _endpoint(call: Call, name: str, interface: str, path: str) -> Doc:
    return {
        "id": fixed_id(name, interface),
        "interface": interface,
        "region": REGION,
        "region_id": REGION,
        "url": f"{base_of(call)}{path}",
    }

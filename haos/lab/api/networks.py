"""Neutron networks."""

from __future__ import annotations

from typing import Any

from haos.lab.api import policy
from haos.lab.api.attributes import boolean
from haos.lab.api.collection import READ_ONLY, STANDARD, Collection, Kind
from haos.lab.api.errors import neutron
from haos.lab.api.listing import NAMED, TAG_FILTERS
from haos.lab.api.routing import Caller, Doc

PROVIDER = frozenset({"provider:network_type", "provider:physical_network", "provider:segmentation_id"})
SWITCHES = frozenset({"admin_state_up", "is_default", "shared", "router:external", "port_security_enabled"})
SETTABLE = SWITCHES | PROVIDER | {"dns_domain", "mtu"}
MAX_MTU = 1500


def mtu(name: str, value: Any) -> int:
    """Take an MTU that fits the wire."""
    if not str(value).isdecimal():
        raise neutron("InvalidInput", error_message=f"'{value}' is not an integer")
    if int(value) > MAX_MTU:
        raise neutron("InvalidInput", error_message=f"Requested MTU is too big, maximum is {MAX_MTU}")
    return int(value)


KIND = Kind(
    table="networks",
    singular="network",
    not_found="NetworkNotFound",
    post=SETTABLE | STANDARD | {"availability_zone_hints"},
    put=SETTABLE,
    filters=NAMED
    | TAG_FILTERS
    | PROVIDER
    | {"admin_state_up", "is_default", "mtu", "router:external", "shared", "status"},
    sort_keys=NAMED | {"admin_state_up", "mtu", "status"},
    read_only=READ_ONLY | {"subnets"},
    converters={**dict.fromkeys(SWITCHES, boolean), "mtu": mtu},
)


class Networks(Collection):
    """Networks."""

    kind = KIND

    def visible(self, caller: Caller, doc: Doc) -> bool:
        return policy.sees_network(caller, doc)

    def view(self, caller: Caller, doc: Doc) -> Doc:
        shown = super().view(caller, doc)
        shown["subnets"] = [subnet["id"] for subnet in self.store.where("subnets", network_id=doc["id"])]
        if not caller.admin:
            for name in PROVIDER:
                shown.pop(name, None)
        return shown

    def make(self, caller: Caller, body: Doc) -> Doc:
        policy.check_network(caller, "create_network", body)
        return self.store.add("networks", {**blank_network(), **body})

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        policy.check_network(caller, "update_network", body, doc)
        return super().change(caller, doc, body)

    def remove(self, caller: Caller, doc: Doc) -> None:
        policy.check_network(caller, "delete_network", {}, doc)
        used = ",".join(port["id"] for port in self.store.where("ports", network_id=doc["id"]))
        if used:
            reason = f"There are one or more ports still in use on the network, id for these ports is: {used}"
            raise neutron("NetworkInUse", net_id=doc["id"], reason=reason)
        for subnet in self.store.where("subnets", network_id=doc["id"]):
            self.store.drop("subnets", subnet["id"])
        self.store.drop("networks", doc["id"])


def blank_network() -> Doc:
    """Return what every network has, with Neutron's defaults."""
    return {
        "name": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "shared": False,
        "is_default": False,
        "dns_domain": "",
        "router:external": False,
        "port_security_enabled": True,
        "mtu": 1500,
        "availability_zone_hints": [],
        "availability_zones": [],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "l2_adjacency": True,
        "qos_policy_id": None,
        "tags": [],
        "provider:network_type": "geneve",
        "provider:physical_network": None,
        "provider:segmentation_id": None,
    }

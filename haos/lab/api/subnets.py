"""Neutron subnets."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network

from haos.lab.api import policy
from haos.lab.api.attributes import address_or_none, boolean, choice, uuid
from haos.lab.api.collection import STANDARD, Collection, Kind
from haos.lab.api.errors import neutron
from haos.lab.api.ipam import default_pools, parse_cidr
from haos.lab.api.listing import NAMED, TAG_FILTERS
from haos.lab.api.policy import forbidden
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store
from haos.lab.api.subnet_values import (
    MODES,
    check_dhcp,
    check_gateway,
    check_modes,
    check_pools,
    ip_version,
    nameservers,
    pools,
    routes,
)
from haos.lab.model import Address, Network

SETTABLE = frozenset({"allocation_pools", "dns_nameservers", "enable_dhcp", "gateway_ip", "host_routes"})
UNCOUNTED = frozenset({"allocation_pools", "dns_nameservers", "host_routes"})
"""Tables of their own in Neutron's database: their change leaves the subnet's revision as it is."""
SORT_KEYS = NAMED | {
    "cidr",
    "enable_dhcp",
    "gateway_ip",
    "ip_version",
    "ipv6_address_mode",
    "ipv6_ra_mode",
    "network_id",
    "subnetpool_id",
}
KIND = Kind(
    table="subnets",
    singular="subnet",
    not_found="SubnetNotFound",
    post=SETTABLE
    | STANDARD
    | {"cidr", "ip_version", "ipv6_address_mode", "ipv6_ra_mode", "network_id", "segment_id", "subnetpool_id"},
    put=SETTABLE,
    required=("network_id", "ip_version"),
    filters=SORT_KEYS | TAG_FILTERS | {"router:external", "segment_id"},
    sort_keys=SORT_KEYS,
    converters={
        "allocation_pools": pools,
        "dns_nameservers": nameservers,
        "enable_dhcp": boolean,
        "gateway_ip": address_or_none,
        "host_routes": routes,
        "ip_version": ip_version,
        "ipv6_address_mode": choice(*MODES, None),
        "ipv6_ra_mode": choice(*MODES, None),
        "network_id": uuid,
    },
)


class Subnets(Collection):
    """Subnets."""

    kind = KIND

    def visible(self, caller: Caller, doc: Doc) -> bool:
        return policy.sees_subnet(caller, doc, self._network(doc["network_id"]))

    def view(self, caller: Caller, doc: Doc) -> Doc:
        shown = super().view(caller, doc)
        shown["router:external"] = self._network(doc["network_id"])["router:external"]
        return shown

    def make(self, caller: Caller, body: Doc) -> Doc:
        network = self._network(body["network_id"])
        if not policy.sees_network(caller, network):
            raise neutron("NetworkNotFound", id=body["network_id"])
        policy.check_ground(caller, "subnet", network)
        if not caller.writer or not (caller.admin or network["project_id"] == caller.project_id):
            raise forbidden("create_subnet", body)
        subnet = new_subnet(self.store, network, body)
        self.store.change("networks", network["id"])  # the network's revision grows with its subnets
        return subnet

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        self._check_owner(caller, "update_subnet", doc, body)
        cidr = ip_network(doc["cidr"])
        gateway = body.get("gateway_ip", doc["gateway_ip"])
        if "gateway_ip" in body:
            self._check_gateway_free(doc, gateway)
            check_gateway(ip_address(gateway) if gateway else None, cidr)
        if SETTABLE & {"allocation_pools", "gateway_ip"} & body.keys():
            wanted: list[Doc] = body.get("allocation_pools", doc["allocation_pools"]) or []
            check_pools(wanted, cidr, ip_address(gateway) if gateway else None)
        if body.get("enable_dhcp") and not doc["enable_dhcp"]:
            check_dhcp(cidr)
        uncounted = {name: value for name, value in body.items() if name in UNCOUNTED}
        kept = self.store.add("subnets", {**doc, **uncounted})
        changed = super().change(caller, kept, body)
        if changed is not kept:
            self.store.change("networks", doc["network_id"])
        return changed

    def remove(self, caller: Caller, doc: Doc) -> None:
        self._check_owner(caller, "delete_subnet", doc, {})
        held = (item for port in self.store.all("ports") for item in port["fixed_ips"])
        if any(item["subnet_id"] == doc["id"] for item in held):
            reason = "One or more ports have an IP allocation from this subnet"
            raise neutron("SubnetInUse", subnet_id=doc["id"], reason=reason)
        self.store.drop("subnets", doc["id"])
        self.store.change("networks", doc["network_id"])

    def _network(self, network_id: str) -> Doc:
        network = self.store.get("networks", network_id)
        if network is None:
            raise neutron("NetworkNotFound", id=network_id)
        return network

    def _check_owner(self, caller: Caller, action: str, doc: Doc, body: Doc) -> None:
        network = self._network(doc["network_id"])
        own = caller.project_id in (doc["project_id"], network["project_id"])
        if not caller.writer or not (caller.admin or own):
            raise forbidden(action, body)

    def _check_gateway_free(self, doc: Doc, wanted: str | None) -> None:
        if wanted == doc["gateway_ip"]:
            return
        for port in self.store.where("ports", network_id=doc["network_id"], device_owner="network:router_interface"):
            if any(item["ip_address"] == doc["gateway_ip"] for item in port["fixed_ips"]):
                raise neutron("GatewayIpInUse", ip_address=doc["gateway_ip"], port_id=port["id"])


def new_subnet(store: Store, network: Doc, body: Doc) -> Doc:
    """Check and store a subnet; gateway and pools are Neutron's defaults where they are not given."""
    if "cidr" not in body:
        text = "a subnetpool must be specified in the absence of a cidr"
        raise neutron("BadRequest", resource="subnets", msg=text)
    cidr = parse_cidr(str(body["cidr"]))
    _check_version(body, cidr)
    if body.get("enable_dhcp", True):
        check_dhcp(cidr)
    gateway = _gateway(body, cidr)
    check_modes(body, cidr)
    _check_overlap(store, network, cidr)
    wanted = body.get("allocation_pools") or default_pools(cidr, gateway)
    check_pools(wanted, cidr, gateway)
    blank: Doc = {
        "name": "",
        "enable_dhcp": True,
        "dns_nameservers": [],
        "host_routes": [],
        "ipv6_address_mode": None,
        "ipv6_ra_mode": None,
        "subnetpool_id": None,
        "segment_id": None,
        "service_types": [],
        "tags": [],
        "revision_number": 0,
    }
    settled = {"cidr": str(cidr), "gateway_ip": str(gateway) if gateway else None, "allocation_pools": wanted}
    return store.add("subnets", {**blank, **body, **settled})


def _check_version(body: Doc, cidr: Network) -> None:
    if body["ip_version"] != cidr.version:
        text = f"cidr '{cidr}' does not match the ip_version '{body['ip_version']}'"
        raise neutron("InvalidInput", error_message=text)


def _check_overlap(store: Store, network: Doc, cidr: Network) -> None:
    for other in store.where("subnets", network_id=network["id"], ip_version=cidr.version):
        known = ip_network(other["cidr"])
        if int(known[0]) <= int(cidr[-1]) and int(cidr[0]) <= int(known[-1]):
            text = f"Requested subnet with cidr: {cidr} for network: {network['id']} overlaps with another subnet"
            raise neutron("InvalidInput", error_message=text)


def _gateway(body: Doc, cidr: Network) -> Address | None:
    """Return the gateway asked for, or the default: an IPv6 network's own address is every router's (RFC 4291)."""
    if "gateway_ip" not in body:
        return cidr[1] if isinstance(cidr, IPv4Network) and cidr.prefixlen <= cidr.max_prefixlen - 2 else cidr[0]
    gateway = ip_address(body["gateway_ip"]) if body["gateway_ip"] else None
    check_gateway(gateway, cidr)
    return gateway

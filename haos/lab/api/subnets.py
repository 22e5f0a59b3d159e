"""Neutron subnets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from haos.lab.api import policy
from haos.lab.api.collection import STANDARD, Collection, Kind
from haos.lab.api.errors import bad, invalid, neutron
from haos.lab.api.ipam import default_pools, parse_cidr
from haos.lab.api.policy import forbidden
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store
from haos.lab.model import Address, Network

SETTABLE = frozenset({"allocation_pools", "dns_nameservers", "enable_dhcp", "gateway_ip", "host_routes"})
KIND = Kind(
    table="subnets",
    singular="subnet",
    not_found="SubnetNotFound",
    post=SETTABLE | STANDARD | {"network_id", "cidr", "ip_version", "ipv6_address_mode", "ipv6_ra_mode"},
    put=SETTABLE,
    required=("network_id", "ip_version"),
    filters=frozenset(
        {
            "cidr",
            "enable_dhcp",
            "gateway_ip",
            "ip_version",
            "ipv6_address_mode",
            "ipv6_ra_mode",
            "network_id",
            "shared",
            "subnetpool_id",
            "segment_id",
        }
    ),
)


class Subnets(Collection):
    """Subnets."""

    kind = KIND

    def visible(self, caller: Caller, doc: Doc) -> bool:
        return policy.sees_subnet(caller, doc, self._network(doc["network_id"]))

    def make(self, caller: Caller, body: Doc) -> Doc:
        network = self._network(body["network_id"])
        if not policy.sees_network(caller, network):
            raise neutron("NetworkNotFound", id=body["network_id"])
        if not caller.writer or not (caller.admin or network["project_id"] == caller.project_id):
            raise forbidden("create_subnet", body)
        subnet = new_subnet(self.store, network, body)
        self.store.change("networks", network["id"])  # the network's revision grows with its subnets
        return subnet

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        self._check_owner(caller, "update_subnet", doc, body)
        cidr = ip_network(doc["cidr"])
        pools: list[Doc] = body["allocation_pools"] if "allocation_pools" in body else doc["allocation_pools"]
        gateway = body.get("gateway_ip", doc["gateway_ip"])
        check_pools(pools, cidr, ip_address(gateway) if gateway else None)
        return super().change(caller, doc, body)

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


def new_subnet(store: Store, network: Doc, body: Doc) -> Doc:
    """Check and store a subnet; gateway and pools are Neutron's defaults where they are not given."""
    if "cidr" not in body:
        raise bad("Bad subnets request: a subnetpool must be specified in the absence of a cidr.")
    cidr = parse_cidr(str(body["cidr"]))
    _check_version_and_modes(body, cidr)
    _check_overlap(store, network, cidr)
    gateway = _gateway(body, cidr)
    pools = body.get("allocation_pools") or default_pools(cidr, gateway)
    check_pools(pools, cidr, gateway)
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
        "dns_publish_fixed_ip": False,
    }
    settled = {"cidr": str(cidr), "gateway_ip": str(gateway) if gateway else None, "allocation_pools": pools}
    return store.add("subnets", {**blank, **body, **settled})


def _check_version_and_modes(body: Doc, cidr: Network) -> None:
    if body["ip_version"] not in (4, 6):
        raise invalid("ip_version", f"'{body['ip_version']}' is not in [4, 6]")
    if body["ip_version"] != cidr.version:
        text = f"cidr '{cidr}' does not match the ip_version '{body['ip_version']}'"
        raise neutron("InvalidInput", error_message=text)
    for name in ("ipv6_address_mode", "ipv6_ra_mode"):
        mode = body.get(name)
        if mode is not None and mode not in ("slaac", "dhcpv6-stateful", "dhcpv6-stateless"):
            raise invalid(name, f"'{mode}' is not in ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless']")
        if mode is not None and cidr.version == 4:
            raise neutron("InvalidInput", error_message=f"{name} is not valid when ip_version is 4")


def _check_overlap(store: Store, network: Doc, cidr: Network) -> None:
    for other in store.where("subnets", network_id=network["id"], ip_version=cidr.version):
        known = ip_network(other["cidr"])
        if int(known[0]) <= int(cidr[-1]) and int(cidr[0]) <= int(known[-1]):
            text = f"Requested subnet with cidr: {cidr} for network: {network['id']} overlaps with another subnet"
            raise neutron("InvalidInput", error_message=text)


def _gateway(body: Doc, cidr: Network) -> Address | None:
    if "gateway_ip" not in body:
        return cidr[1] if cidr.prefixlen < cidr.max_prefixlen - 1 else cidr[0]
    if body["gateway_ip"] is None:
        return None
    try:
        return ip_address(body["gateway_ip"])
    except ValueError:
        raise invalid("gateway_ip", f"'{body['gateway_ip']}' is not a valid IP address") from None


def check_pools(pools: list[Doc], cidr: Network, gateway: Address | None) -> None:
    """Refuse pools that leave the subnet or hold the gateway."""
    for pool in pools:
        text = f"{pool['start']}-{pool['end']}"
        try:
            start, end = ip_address(pool["start"]), ip_address(pool["end"])
        except ValueError:
            raise neutron("InvalidAllocationPool", pool=text) from None
        if start.version != cidr.version or end.version != cidr.version or int(start) > int(end):
            raise neutron("InvalidAllocationPool", pool=text)
        if start not in cidr or end not in cidr:
            raise neutron("OutOfBoundsAllocationPool", pool=text, subnet_cidr=cidr)
        if gateway is not None and gateway.version == start.version and int(start) <= int(gateway) <= int(end):
            raise neutron("GatewayConflictWithAllocationPools", ip_address=gateway, pool=text)

"""Neutron ports: creation, change and what a caller sees of them."""

from __future__ import annotations

import random
from collections.abc import Callable

from haos.lab.api import policy
from haos.lab.api.attributes import boolean, different_texts, mac, one_of, text, uuid, uuids
from haos.lab.api.collection import HIDDEN_FROM_MEMBERS, READ_ONLY, STANDARD, Collection, Kind
from haos.lab.api.errors import neutron
from haos.lab.api.groups import default_group
from haos.lab.api.ipam import ROUTER_OWNERS, Allocator, fixed_ips
from haos.lab.api.listing import NAMED, TAG_FILTERS
from haos.lab.api.pairs import check_pairs, resolve_pairs
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store
from haos.lab.model import Power

MAC_PREFIX = "fa:16:3e"
CHANGEABLE = frozenset(
    {
        "admin_state_up",
        "allowed_address_pairs",
        "binding:host_id",
        "binding:profile",
        "binding:vnic_type",
        "device_id",
        "device_owner",
        "dns_name",
        "fixed_ips",
        "mac_address",
        "port_security_enabled",
        "security_groups",
    }
)
ITSELF = frozenset({"admin_state_up", "device_id", "device_owner", "name"})
VNIC_TYPES = (
    "accelerator-direct",
    "accelerator-direct-physical",
    "baremetal",
    "direct",
    "direct-physical",
    "macvtap",
    "normal",
    "remote-managed",
    "smart-nic",
    "vdpa",
    "virtio-forwarder",
)
KIND = Kind(
    table="ports",
    singular="port",
    not_found="PortNotFound",
    post=CHANGEABLE | STANDARD | {"network_id", "tags"},
    put=CHANGEABLE,
    required=("network_id",),
    filters=frozenset(
        {
            "admin_state_up",
            "binding:host_id",
            "device_id",
            "device_owner",
            "fixed_ips",
            "ip_allocation",
            "mac_address",
            "network_id",
            "security_groups",
            "status",
        }
    )
    | NAMED
    | TAG_FILTERS,
    sort_keys=NAMED | {"admin_state_up", "device_id", "device_owner", "mac_address", "network_id", "status"},
    read_only=READ_ONLY
    | {
        "binding:vif_details",
        "binding:vif_type",
        "ip_allocation",
        "network_id",
        "qos_network_policy_id",
        "resource_request",
    },
    converters={
        "admin_state_up": boolean,
        "allowed_address_pairs": check_pairs,
        "binding:vnic_type": one_of(*VNIC_TYPES),
        "device_id": text,
        "device_owner": text,
        "fixed_ips": fixed_ips,
        "mac_address": mac,
        "network_id": uuid,
        "port_security_enabled": boolean,
        "security_groups": uuids,
        "tags": different_texts,
    },
)


class Ports(Collection):
    """Ports. `power` tells what the instance behind a port does, None if there is none."""

    kind = KIND

    def __init__(self, store: Store, power: Callable[[str], Power | None]) -> None:
        super().__init__(store)
        self._power = power

    def visible(self, caller: Caller, doc: Doc) -> bool:
        return policy.sees_port(caller, doc, self._network(doc["network_id"]))

    def view(self, caller: Caller, doc: Doc) -> Doc:
        shown = super().view(caller, doc)
        shown["status"] = self._status(doc)
        if not doc["binding:host_id"]:
            shown |= {"binding:vif_type": "unbound", "binding:vif_details": {}}
        if not caller.admin:
            for name in HIDDEN_FROM_MEMBERS:
                shown.pop(name, None)
        return shown

    def make(self, caller: Caller, body: Doc) -> Doc:
        network = self._network(body["network_id"])
        if not policy.sees_network(caller, network):
            raise neutron("NetworkNotFound", id=body["network_id"])
        policy.check_port(caller, "create_port", body, network)
        mac = self._new_mac(network, body.get("mac_address"))
        owner = body.get("device_owner", "")
        port = self._blank(body, network, mac)
        allocator = Allocator(self.store, network, mac=mac, owner=owner, sees=self._sight(caller))
        wanted = body.get("fixed_ips")
        port["fixed_ips"] = allocator.automatic() if wanted is None else allocator.requested(wanted, complete=True)
        port["security_groups"] = self._groups_for_new(caller, port, body)
        port["allowed_address_pairs"] = resolve_pairs(body.get("allowed_address_pairs", []), mac)
        port["_pair_order"] = self.store.next_order()
        _check_security(port, body)
        return self.store.add("ports", port)

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        network = self._network(doc["network_id"])
        policy.check_port(caller, "update_port", body, network, doc)
        values = {name: value for name, value in body.items() if doc.get(name) != value}
        if "mac_address" in values:
            values["mac_address"] = self._new_mac(network, body["mac_address"])
        merged = {**doc, **values}
        if "fixed_ips" in values:
            values["fixed_ips"] = self._readdressed(caller, merged, network, body["fixed_ips"])
        if "security_groups" in body:
            values["security_groups"] = self._known_groups(caller, doc["project_id"], body["security_groups"])
        if "allowed_address_pairs" in body:  # setting the same pairs again counts as a change, too
            pairs = resolve_pairs(body["allowed_address_pairs"], merged["mac_address"])
            values["allowed_address_pairs"] = pairs
            if pairs:
                values["_pair_order"] = self.store.next_order()
        _check_security({**doc, **values}, body)
        fresh = {name: value for name, value in values.items() if doc.get(name) != value}
        # A description beside another attribute of the port itself counts as a change, even if it is none.
        counts = fresh or ("description" in body and body.keys() & ITSELF)
        return self.store.change("ports", doc["id"], **fresh) if counts else doc

    def remove(self, caller: Caller, doc: Doc) -> None:
        policy.check_delete_port(caller, doc, self._network(doc["network_id"]))
        if doc["device_owner"] in (*ROUTER_OWNERS, "network:floatingip"):
            reason = f"has device owner {doc['device_owner']}"
            raise neutron("ServicePortInUse", port_id=doc["id"], reason=reason)
        self.forget(doc["id"])

    def forget(self, port_id: str) -> None:
        """Delete a port; its floating IPs stay, pointing nowhere."""
        for floating in self.store.where("floatingips", port_id=port_id):
            nowhere: Doc = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
            self.store.change("floatingips", floating["id"], **nowhere)
        self.store.drop("ports", port_id)

    def _network(self, network_id: str) -> Doc:
        network = self.store.get("networks", network_id)
        if network is None:
            raise neutron("NetworkNotFound", id=network_id)
        return network

    def _blank(self, body: Doc, network: Doc, mac: str) -> Doc:
        secure = body.get("port_security_enabled", network["port_security_enabled"])
        admin_up = body.get("admin_state_up", True)
        return {
            **blank_port(),
            "name": body.get("name", ""),
            "description": body.get("description", ""),
            "network_id": network["id"],
            "project_id": body["project_id"],
            "mac_address": mac,
            "device_id": body.get("device_id", ""),
            "device_owner": body.get("device_owner", ""),
            "admin_state_up": admin_up,
            "port_security_enabled": secure,
            "binding:vnic_type": body.get("binding:vnic_type", "normal"),
            "binding:host_id": body.get("binding:host_id", ""),
        }

    def _new_mac(self, network: Doc, wanted: str | None) -> str:
        taken = {port["mac_address"].lower() for port in self.store.where("ports", network_id=network["id"])}
        if wanted is not None:
            if wanted.lower() in taken:
                raise neutron("MacAddressInUse", net_id=network["id"], mac=wanted)
            return wanted
        while (mac := random_mac()) in taken:
            pass
        return mac

    def _sight(self, caller: Caller) -> Callable[[Doc], bool]:
        return lambda subnet: policy.sees_subnet(caller, subnet, self._network(subnet["network_id"]))

    def _readdressed(self, caller: Caller, port: Doc, network: Doc, wanted: list[Doc]) -> list[Doc]:
        allocator = Allocator(
            self.store,
            network,
            mac=port["mac_address"],
            owner=port["device_owner"],
            port_id=port["id"],
            sees=self._sight(caller),
        )
        return allocator.requested(wanted, complete=False)

    def _groups_for_new(self, caller: Caller, port: Doc, body: Doc) -> list[str]:
        if port["device_owner"].startswith("network:"):
            return []
        if body.get("security_groups") is not None:
            return self._known_groups(caller, port["project_id"], body["security_groups"])
        if not port["port_security_enabled"]:
            return []
        return [default_group(self.store, port["project_id"])["id"]]

    def _known_groups(self, caller: Caller, project_id: str, wanted: list[str]) -> list[str]:
        found = {group["id"]: group["project_id"] for group in self.store.all("security_groups")}
        missing = [item for item in wanted if item not in found or not (caller.admin or found[item] == project_id)]
        if missing:
            raise neutron("SecurityGroupNotFound", id=", ".join(missing))
        return list(dict.fromkeys(wanted))

    def _status(self, port: Doc) -> str:
        owner = port["device_owner"]
        if owner in ROUTER_OWNERS:
            return "ACTIVE"
        if owner == "network:floatingip":
            return "N/A"
        running = port["device_id"] and self._power(port["device_id"]) in (Power.ACTIVE, Power.PAUSED)
        return "ACTIVE" if running and port["admin_state_up"] else "DOWN"


def blank_port() -> Doc:
    """Return what every port has, with Neutron's defaults."""
    return {
        "name": "",
        "description": "",
        "device_id": "",
        "device_owner": "",
        "admin_state_up": True,
        "port_security_enabled": True,
        "allowed_address_pairs": [],
        "_pair_order": 0,
        "fixed_ips": [],
        "security_groups": [],
        "extra_dhcp_opts": [],
        "tags": [],
        "binding:vnic_type": "normal",
        "binding:host_id": "",
        "binding:vif_type": "ovs",
        "binding:vif_details": {"bound_drivers": {"0": "openvswitch"}},
        "binding:profile": {},
        "ip_allocation": "immediate",
        "propagate_uplink_status": True,
        "qos_policy_id": None,
        "qos_network_policy_id": None,
        "resource_request": None,
    }


def random_mac() -> str:
    """Make a MAC address as Neutron does."""
    tail = ":".join(f"{random.randrange(256):02x}" for _ in range(3))  # noqa: S311 - not a secret
    return f"{MAC_PREFIX}:{tail}"


def _check_security(port: Doc, body: Doc) -> None:
    """Refuse groups and pairs on a port without port security."""
    if port["port_security_enabled"]:
        return
    if body.get("security_groups"):
        raise neutron("PortSecurityAndIPRequiredForSecurityGroups")
    if port["security_groups"]:
        raise neutron("PortSecurityPortHasSecurityGroup")
    if port["allowed_address_pairs"]:
        raise neutron("AddressPairAndPortSecurityRequired")

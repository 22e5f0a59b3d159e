"""Neutron floating IPs: one to one with an address of a port behind a router."""

from __future__ import annotations

from ipaddress import ip_address

from haos.lab.api.attributes import address_or_none, uuid, uuid_or_none
from haos.lab.api.collection import STANDARD, Collection, Kind
from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.ipam import Allocator
from haos.lab.api.listing import TAG_FILTERS
from haos.lab.api.policy import check_write, forbidden, sees_network, sees_port
from haos.lab.api.ports import Ports, blank_port, random_mac
from haos.lab.api.routers import router_between
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store

SETTABLE = frozenset({"port_id", "fixed_ip_address"})
SORT_KEYS = frozenset({"fixed_ip_address", "floating_ip_address", "floating_network_id", "router_id", "status"})
KIND = Kind(
    table="floatingips",
    singular="floatingip",
    not_found="FloatingIPNotFound",
    post=SETTABLE | STANDARD | {"floating_network_id", "floating_ip_address", "subnet_id", "dns_name", "dns_domain"},
    put=SETTABLE,
    required=("floating_network_id",),
    filters=SORT_KEYS | TAG_FILTERS | {"port_id"},
    sort_keys=SORT_KEYS,
    converters={
        "fixed_ip_address": address_or_none,
        "floating_ip_address": address_or_none,
        "floating_network_id": uuid,
        "port_id": uuid_or_none,
        "subnet_id": uuid_or_none,
    },
)


class FloatingIps(Collection):
    """Floating IPs."""

    kind = KIND

    def __init__(self, store: Store, ports: Ports) -> None:
        super().__init__(store)
        self._ports = ports

    def view(self, caller: Caller, doc: Doc) -> Doc:
        port = self.store.get("ports", doc["port_id"]) if doc["port_id"] else None
        details = self._ports.view(caller, port) if port else None
        return {
            **super().view(caller, doc),
            "port_details": {name: details[name] for name in PORT_DETAILS} if details else None,
        }

    def make(self, caller: Caller, body: Doc) -> Doc:
        check_write(caller, "create_floatingip", body)
        network = self._external(caller, body["floating_network_id"])
        address = body.get("floating_ip_address")
        if address and not caller.admin:
            raise forbidden("create_floatingip", body)
        outside = self._outside_port(network, address)
        blank: Doc = {
            "project_id": body["project_id"],
            "description": body.get("description", ""),
            "floating_network_id": network["id"],
            "floating_ip_address": outside["fixed_ips"][0]["ip_address"],
            "port_id": None,
            "fixed_ip_address": None,
            "router_id": None,
            "status": "DOWN",
            "port_forwardings": [],
            "dns_domain": "",
            "dns_name": "",
            "qos_policy_id": None,
            "revision_number": 0,
            "tags": [],
            "_outside_port": outside["id"],
        }
        made = self.store.add("floatingips", blank)
        self.store.change("ports", outside["id"], device_id=made["id"])
        if not body.get("port_id") and not body.get("fixed_ip_address"):
            return made
        bound = {**made, **self._association(caller, made, body)}
        return self.store.add("floatingips", bound)

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        check_write(caller, "update_floatingip", body)
        values = {"description": body.get("description", doc["description"])}
        if not body or {"port_id", "fixed_ip_address"} & body.keys():  # a change of nothing takes the port away
            values |= self._association(caller, doc, body)
        fresh = {name: value for name, value in values.items() if doc[name] != value}
        return self.store.change("floatingips", doc["id"], **fresh) if fresh else doc

    def remove(self, caller: Caller, doc: Doc) -> None:
        super().remove(caller, doc)
        self.store.drop("ports", doc["_outside_port"])

    def _external(self, caller: Caller, network_id: str) -> Doc:
        network = self.store.get("networks", network_id)
        if network is None or not sees_network(caller, network):
            raise neutron("NetworkNotFound", id=network_id)
        if not network["router:external"]:
            raise _refusal(f"Network {network_id} is not a valid external network")
        return network

    def _outside_port(self, network: Doc, address: str | None) -> Doc:
        mac = random_mac()
        owner = "network:floatingip"
        allocator = Allocator(self.store, network, mac=mac, owner=owner)
        wanted = [{"ip_address": address}] if address else None
        fixed_ips = allocator.requested(wanted, complete=False) if wanted else allocator.automatic()
        port = {"network_id": network["id"], "mac_address": mac, "device_owner": owner, "project_id": ""}
        return self.store.add("ports", {**blank_port(), **port, "fixed_ips": fixed_ips[:1]})

    def _association(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        port_id = body.get("port_id")
        if not port_id:
            if body.get("fixed_ip_address"):
                raise _refusal("fixed_ip_address cannot be specified without a port_id")
            return {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
        port = self._port(caller, port_id)
        inside = _inside_address(port, body.get("fixed_ip_address"))
        self._check_free(doc, port, inside["ip_address"])
        router_id = router_between(self.store, inside["subnet_id"], doc["floating_network_id"])
        if router_id is None:
            raise neutron(
                "ExternalGatewayForFloatingIPNotFound",
                external_network_id=doc["floating_network_id"],
                subnet_id=inside["subnet_id"],
                port_id=port_id,
            )
        return {
            "port_id": port_id,
            "fixed_ip_address": inside["ip_address"],
            "router_id": router_id,
            "status": "ACTIVE",
        }

    def _port(self, caller: Caller, port_id: str) -> Doc:
        port = self.store.get("ports", port_id)
        network = self.store.get("networks", port["network_id"]) if port else None
        if port is None or network is None or not sees_port(caller, port, network):
            raise neutron("PortNotFound", id=port_id)
        if port["project_id"] != caller.project_id and not caller.admin:
            text = f"Cannot process floating IP association with Port {port_id}, since that port is owned by a"
            raise _refusal(f"{text} different project")
        return port

    def _check_free(self, doc: Doc, port: Doc, fixed: str) -> None:
        for other in self.store.where("floatingips", port_id=port["id"], fixed_ip_address=fixed):
            if other["id"] != doc["id"]:
                raise neutron(
                    "FloatingIPPortAlreadyAssociated",
                    floating_ip_address=doc["floating_ip_address"],
                    fip_id=doc["id"],
                    port_id=port["id"],
                    fixed_ip=fixed,
                    net_id=doc["floating_network_id"],
                )


PORT_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")


def _inside_address(port: Doc, wanted: str | None) -> Doc:
    if wanted:
        for item in port["fixed_ips"]:
            if item["ip_address"] == wanted:
                return dict(item)
        raise _refusal(f"Port {port['id']} does not have fixed ip {wanted}")
    own = [item for item in port["fixed_ips"] if ip_address(item["ip_address"]).version == 4]
    if not own:
        raise _refusal(f"Cannot add floating IP to port {port['id']} that has no fixed IPv4 addresses")
    if len(own) > 1:
        text = f"Port {port['id']} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when"
        raise _refusal(f"{text} assigning a floating IP")
    return dict(own[0])


def _refusal(text: str) -> ApiError:
    return neutron("BadRequest", resource="floatingip", msg=text)

"""Plugging subnets into a router, and taking them out: two requests of their own in Neutron."""

from __future__ import annotations

from haos.lab.api import policy
from haos.lab.api.attributes import uuid
from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.routers import INTERFACE, Routers, check_overlap, inside_ports, refusal, trusted_port
from haos.lab.api.routing import Call, Caller, Doc, Response, Route
from haos.lab.api.store import Store

KEYS = ("subnet_id", "port_id")


class RouterInterfaces:
    """The interfaces of all routers."""

    def __init__(self, store: Store, routers: Routers) -> None:
        self._store = store
        self._routers = routers

    def routes(self) -> list[Route]:
        """Return the two routes."""
        one = f"{self._routers.kind.path}/{{id}}"
        return [
            Route("PUT", f"{one}/add_router_interface", self.add),
            Route("PUT", f"{one}/remove_router_interface", self.remove),
        ]

    def add(self, call: Call) -> Response:
        """Give the router a port: a new one with a subnet's gateway address, or one that is there."""
        with self._store.transaction():
            router, wanted = self._asked(call, "add_router_interface")
            if len(wanted) > 1:
                raise refusal("Cannot specify both subnet-id and port-id")
            if "port_id" in wanted:
                port = self._taken_over(call.caller, router, wanted["port_id"])
            else:
                port = self._new(call.caller, router, wanted["subnet_id"])
            return self._changed(router, port)

    def remove(self, call: Call) -> Response:
        """Delete the router's port with that id, or on that subnet."""
        with self._store.transaction():
            router, wanted = self._asked(call, "remove_router_interface")
            port = self._found(call.caller, router, wanted)
            self._check_unused(router, port)
            self._store.drop("ports", port["id"])
            return self._changed(router, port)

    def _asked(self, call: Call, action: str) -> tuple[Doc, dict[str, str]]:
        router = self._routers.find(call.caller, call.args["id"])
        policy.check_write(call.caller, action, {})
        body = call.request.json()
        wanted = {key: body[key] for key in KEYS if body.get(key)}
        if not wanted:
            raise refusal("Either subnet_id or port_id must be specified")
        for value in wanted.values():
            _check_id(value)
        return router, wanted

    def _new(self, caller: Caller, router: Doc, subnet_id: str) -> Doc:
        subnet, network = self._subnet(caller, subnet_id)
        if not subnet["gateway_ip"]:
            raise refusal("Subnet for router interface must have a gateway IP")
        check_overlap(self._store, router["id"], subnet)
        project, gateway = router["project_id"], subnet["gateway_ip"]
        return trusted_port(self._store, network, INTERFACE, router["id"], project_id=project, address=gateway)

    def _taken_over(self, caller: Caller, router: Doc, port_id: str) -> Doc:
        port = self._store.get("ports", port_id)
        network = self._store.get("networks", port["network_id"]) if port else None
        if port is None or network is None or not policy.sees_port(caller, port, network):
            raise neutron("PortNotFound", id=port_id)
        if port["device_id"]:
            raise neutron("PortInUse", port_id=port_id, net_id=network["id"], device_id=port["device_id"])
        if not port["fixed_ips"]:
            raise refusal("Router port must have at least one fixed IP")
        for item in port["fixed_ips"]:
            check_overlap(self._store, router["id"], self._subnet(caller, item["subnet_id"])[0])
        return self._store.change("ports", port_id, device_id=router["id"], device_owner=INTERFACE)

    def _subnet(self, caller: Caller, subnet_id: str) -> tuple[Doc, Doc]:
        subnet = self._store.get("subnets", subnet_id)
        network = self._store.get("networks", subnet["network_id"]) if subnet else None
        if subnet is None or network is None or not policy.sees_subnet(caller, subnet, network):
            raise neutron("SubnetNotFound", id=subnet_id)
        return subnet, network

    def _found(self, caller: Caller, router: Doc, wanted: dict[str, str]) -> Doc:
        subnet_id, port_id = wanted.get("subnet_id"), wanted.get("port_id")
        if port_id is None:
            subnet, _ = self._subnet(caller, str(subnet_id))
            for port in inside_ports(self._store, router["id"], subnet["id"]):
                return port
            raise neutron("RouterInterfaceNotFoundForSubnet", router_id=router["id"], subnet_id=subnet_id)
        for port in self._store.where("ports", id=port_id, device_id=router["id"], device_owner=INTERFACE):
            if subnet_id and all(item["subnet_id"] != subnet_id for item in port["fixed_ips"]):
                raise neutron("SubnetMismatchForPort", port_id=port_id, subnet_id=subnet_id)
            return port
        raise neutron("RouterInterfaceNotFound", router_id=router["id"], port_id=port_id)

    def _check_unused(self, router: Doc, port: Doc) -> None:
        subnets = {item["subnet_id"] for item in port["fixed_ips"]}
        for floating in self._store.where("floatingips", router_id=router["id"]):
            inside = self._store.get("ports", floating["port_id"]) or {"fixed_ips": ()}
            for item in inside["fixed_ips"]:
                if item["ip_address"] == floating["fixed_ip_address"] and item["subnet_id"] in subnets:
                    words = {"router_id": router["id"], "subnet_id": item["subnet_id"]}
                    raise neutron("RouterInterfaceInUseByFloatingIP", **words)

    def _changed(self, router: Doc, port: Doc) -> Response:
        self._store.change("routers", router["id"])  # the router's revision grows with its interfaces
        subnets = [item["subnet_id"] for item in port["fixed_ips"]]
        shown = {"id": router["id"], "tenant_id": router["project_id"], "port_id": port["id"]}
        where = {"network_id": port["network_id"], "subnet_id": subnets[0], "subnet_ids": subnets}
        return Response(200, {**shown, **where})


def _check_id(value: str) -> None:
    try:
        uuid("id", value)
    except ApiError:
        raise refusal(f"'{value}' is not a valid UUID") from None

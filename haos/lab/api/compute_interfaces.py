"""The network cards of a server: listed, plugged and pulled while it runs."""

from __future__ import annotations

from typing import Any

from haos.lab.api.compute_base import SERVERS, Servers, inner, invalid
from haos.lab.api.compute_create import plug
from haos.lab.api.errors import ApiError
from haos.lab.api.fabric_view import nics, slots
from haos.lab.api.microversions import version_of
from haos.lab.api.routing import Call, Doc, Response, Route

FIRST_WITH_TAGS = (2, 70)
KNOWN = frozenset({"port_id", "net_id", "fixed_ips"})


class InterfacesApi(Servers):
    """/servers/{id}/os-interface."""

    def routes(self) -> list[Route]:
        """Return these routes."""
        all_of_it = f"{SERVERS}/{{id}}/os-interface"
        one = f"{all_of_it}/{{port_id}}"
        return [
            Route("GET", all_of_it, self.list),
            Route("POST", all_of_it, self.attach),
            Route("GET", one, self.show),
            Route("DELETE", one, self.detach),
        ]

    def list(self, call: Call) -> Response:
        """List the server's ports."""
        ports = self.store.where("ports", device_id=self.find(call)["id"])
        return Response(200, {"interfaceAttachments": [self._shown(call, port) for port in ports]})

    def show(self, call: Call) -> Response:
        """Show one of the server's ports."""
        ports = self.store.where("ports", device_id=self.find(call)["id"], id=call.args["port_id"])
        if not ports:
            raise ApiError(404, f"Port id {call.args['port_id']} could not be found.")
        return Response(200, {"interfaceAttachment": self._shown(call, ports[0])})

    def attach(self, call: Call) -> Response:
        """Plug a port, one that is there or a new one on a network; returns when it is plugged."""
        server = self.writable(call, "os-attach-interfaces:create")
        entry = _entry(inner(call, "interfaceAttachment"))
        self.instances.admit(server, "attach_interface")
        with self.store.transaction():
            before = slots(nics(self.store, server["id"]))
            port_id, made = plug(self.store, self.ports, call.caller, server, entry, later=True)
            own = (*server["_own_ports"], *([port_id] if made else ()))
            server = self.store.change("servers", server["id"], _own_ports=own, _slots=before)
        self.instances.rewire(server)
        [port] = self.store.where("ports", id=port_id)
        return Response(200, {"interfaceAttachment": self._shown(call, port)})

    def detach(self, call: Call) -> Response:
        """Order that a port is pulled; of one that is not the server's nothing comes, and nobody is told."""
        server = self.writable(call, "os-attach-interfaces:delete")
        self.instances.admit(server, "detach_interface")
        for port in self.store.where("ports", device_id=server["id"], id=call.args["port_id"]):
            self.instances.unplug(server, port, self.ports)
        return Response(202)

    def _shown(self, call: Call, port: Doc) -> Doc:
        shown: Doc = {
            "port_id": port["id"],
            "net_id": port["network_id"],
            "mac_addr": port["mac_address"],
            "port_state": self.ports.view(call.caller, port)["status"],
            "fixed_ips": port["fixed_ips"],
        }
        return shown if version_of(call.request) < FIRST_WITH_TAGS else {**shown, "tag": None}


def _entry(body: Any) -> Doc:
    """Return what is to be plugged, as POST /servers has it in its networks."""
    for key in body:
        if key not in KNOWN:
            why = f"Additional properties are not allowed ('{key}' was unexpected)"
            raise invalid("interfaceAttachment", body, why)
    if body.get("port_id") and body.get("net_id"):
        raise ApiError(400, "Must not input both network_id and port_id")
    fixed = body.get("fixed_ips") or [{}]
    if fixed != [{}] and not body.get("net_id"):
        raise ApiError(400, "Must input network_id when request IP address")
    return {"port": body.get("port_id"), "uuid": body.get("net_id"), "fixed_ip": fixed[0].get("ip_address")}
